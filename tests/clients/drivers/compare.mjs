// compare.mjs BEFORE AFTER MODULES FILE…: each JSON file before and after `client wrap`, read by VS Code's parser.
import fs from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

const [before, after, modules, ...files] = process.argv.slice(2);
const jsonc = createRequire(modules + "/")("jsonc-parser");

function read(folder, file) {
  const text = fs.readFileSync(`${folder}/${file}`, "utf8").replace(/^\ufeff/, "");
  const errors = [];
  const value = jsonc.parse(text, errors, { allowTrailingComma: true });
  if (errors.length) throw new Error(`${folder}/${file}: ${JSON.stringify(errors)}`);
  return value;
}

// Takes caponier away from every server that has it, as its user would read the file.
function bare(value) {
  if (Array.isArray(value)) {
    return value.map(bare);
  }
  if (value && typeof value === "object") {
    const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, bare(inner)]));
    for (const key of ["command", "path"]) {
      const words = Array.isArray(copy[key]) ? copy[key] : [copy[key], ...(copy.args ?? [])];
      if (words[0] === "@CAPONIER@" && words[1] === "run") {
        const own = words.slice(words.indexOf("--") + 1);
        if (Array.isArray(copy[key])) {
          copy[key] = own;
        } else {
          [copy[key], ...copy.args] = own;
        }
        wrapped += 1;
      }
    }
    // No arguments and an empty list of them are one thing.
    if (copy.args && copy.args.length === 0) delete copy.args;
    return copy;
  }
  return value;
}

let wrapped = 0;
for (const file of files.filter((file) => file.endsWith(".json"))) {
  const was = bare(read(before, file));
  wrapped = 0;
  const is = bare(read(after, file));
  if (!wrapped) throw new Error(`${file}: nothing is wrapped`);
  if (!isDeepStrictEqual(is, was)) throw new Error(`${file}: ${JSON.stringify(is)}\n${JSON.stringify(was)}`);
  console.log(`same: ${file}, ${wrapped} wrapped`);
}
