// Goes out with Node's own clients, and reports in the form of attack.h.
//
//     client.mjs HOW STEP=WHAT...       HOW: fetch (a URL), net (HOST:PORT), resolve4 (a name)
//
// A step is OPEN when there is an answer; otherwise it is BLOCKED with the code of the error.
import net from "node:net";
import dns from "node:dns/promises";

const ways = {
    async fetch(url) {
        const answer = await fetch(url);
        await answer.arrayBuffer();
        if (answer.status !== 200) throw Object.assign(new Error("status"), { code: answer.status });
    },
    net(what) {
        const [, host, port] = /^(.*):(\d+)$/.exec(what);
        return new Promise((resolve, reject) => {
            const socket = net.connect({ host, port: Number(port) }, () => {
                socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
            });
            let text = "";
            socket.on("data", (data) => (text += data));
            socket.on("end", () => (text.startsWith("HTTP/1.1 200") ? resolve() : reject(Object.assign(new Error(), { code: "SHORT" }))));
            socket.on("error", reject);
        });
    },
    async resolve4(name) {
        if ((await dns.resolve4(name)).length === 0) throw Object.assign(new Error(), { code: "EMPTY" });
    },
};

// The first error of the operating system below what fetch and happy eyeballs made of it.
function code(error) {
    for (let at = error; at; at = at.cause ?? at.errors?.[0]) if (at.code && !at.errors) return at.code;
    return error.name;
}

const way = ways[process.argv[2]];
for (const word of process.argv.slice(3)) {
    const cut = word.indexOf("=");
    const step = word.slice(0, cut);
    try {
        await way(word.slice(cut + 1));
        process.stderr.write(`OPEN ${step}\n`);
    } catch (error) {
        process.stderr.write(`BLOCKED ${step} ${code(error)}\n`);
    }
}
