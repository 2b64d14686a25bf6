// Attacks of a server in Node.js on what `at` names: outside, home, port, victim. One line of results on stderr.
import fs from "node:fs";
import net from "node:net";
import { spawnSync } from "node:child_process";

const { outside, home, port, victim } = at;
const results = {};
const attempt = (name, act) => {
  try {
    act();
    results[name] = "done";
  } catch (error) {
    results[name] = error.code ?? String(error);
  }
};
const connect = (name, options) =>
  new Promise((resolve) => {
    const socket = net.connect(options);
    const end = (result) => {
      results[name] = result;
      socket.destroy();
      resolve();
    };
    socket.on("connect", () => end("done"));
    socket.on("error", (error) => end(error.code ?? String(error)));
  });
const run = (program, words) => {
  const done = spawnSync(program, words);
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`status ${done.status}`);
};

attempt("read", () => fs.readFileSync(`${outside}/secret.txt`));
attempt("secret", () => fs.readFileSync(`${home}/.ssh/id_ed25519`));
attempt("write", () => fs.writeFileSync(`${outside}/planted.txt`, "x"));
attempt("persist", () => fs.appendFileSync(`${home}/.bashrc`, "x"));
attempt("chmod", () => fs.chmodSync(`${outside}/secret.txt`, 0o777));
attempt("shell", () => run("/bin/sh", ["-c", ":"]));
attempt("tool", () => run(`${outside}/tool`, []));
attempt("environ", () => fs.readFileSync(`/proc/${victim}/environ`));
attempt("signal", () => process.kill(victim, "SIGCONT"));
await connect("connect", { host: "127.0.0.1", port: port });
await connect("socket", { path: `${outside}/docker.sock` });
process.stderr.write(`RESULTS ${JSON.stringify(results)}\n`);
