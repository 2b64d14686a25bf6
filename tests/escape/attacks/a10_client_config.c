/* Attack A10.
 * Vulnerability: a server writes the configuration that its client, an editor or a shell runs next time.
 * Vector: create each of the known files in the project, none of which exists.
 * Expected: EACCES, reason fs.write.protected, for each; a folder of that name is not made either. */
#include "attack.h"

int main(int argc, char **argv) {
    (void)argc;
    begin();
    if (chdir(argv[1]) < 0) broken("chdir");
    STEP("mcp-json", try_write(".mcp.json"));
    STEP("envrc", try_write(".envrc"));
    STEP("own-profile", try_write(".caponier.toml"));
    STEP("bashrc", try_write(".bashrc"));
    STEP("zshrc", try_write(".zshrc"));
    /* zsh takes it for .zshrc. */
    STEP("zshrc-compiled", try_write(".zshrc.zwc"));
    if (mkdir(".config", 0755) < 0) broken(".config");
    STEP("git-config", mkdir(".config/git", 0755));
    STEP("profile", try_write(".profile"));
    STEP("mkdir-cursor", mkdir(".cursor", 0755));
    STEP("cursor", try_write("has/.cursor/mcp.json"));
    STEP("vscode", try_write("has/.vscode/tasks.json"));
    STEP("claude", try_write("has/.claude/settings.json"));
    STEP("symlink-claude", symlink("kit", ".claude"));
    return finish();
}
