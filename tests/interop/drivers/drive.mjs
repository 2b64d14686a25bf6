// Drives one MCP server with a TypeScript client and prints what it saw as one JSON document.
//
//     drive.mjs sdk|client-legacy|client-auto|client-2026-07-28 PLAN -- COMMAND [ARG...]
//
// `sdk` is @modelcontextprotocol/sdk, the others are the modes of @modelcontextprotocol/client; both are looked up in
// $CAPONIER_PEERS. PLAN: a JSON file, see ../plan.rs. What the server writes to stderr goes to ours. A call that fails
// is a line of the transcript, and so is a connection that fails: the caller compares two transcripts.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';

const [which, planFile, dashes, command, ...args] = process.argv.slice(2);
if (dashes !== '--' || !command) {
    throw new Error('usage: drive.mjs CLIENT PLAN -- COMMAND [ARG...]');
}
const plan = JSON.parse(readFileSync(planFile, 'utf8'));

const load = tree => {
    const require = createRequire(`${process.env.CAPONIER_PEERS}/npm/${tree}/package.json`);
    return name => import(require.resolve(name));
};

// What the server asks is answered as the plan says; without a word in it, every question is declined.
const answers = plan.answers;
const asked = new Set();
// Or what a person says to each question in turn; where they say nothing at all, the client shows no forms.
const { says } = plan;
const questions = [];
const showsForms = says === undefined || says.length > 0;
const said = async word => {
    if (word === 'late') await new Promise(resolve => setTimeout(resolve, plan.late_s * 1000));
    if (word === 'accept' || word === 'late') return { action: 'accept', content: { approve: true } };
    if (word === 'bare') return { action: 'accept', content: { approve: false } };
    return { action: word };
};
const roots = () => {
    asked.add('roots/list');
    return { roots: plan.roots.map(uri => ({ uri, name: 'served' })) };
};
const elicit = ({ params }) => {
    asked.add('elicitation/create');
    if (says) {
        questions.push(params.message);
        return said(says.shift());
    }
    if (!answers) return { action: 'decline' };
    return params.mode === 'url' ? { action: 'accept' } : answers.elicitation;
};
const sample = ({ params }) => {
    asked.add('sampling/createMessage');
    const { content } = params.messages[0];
    const text = `${answers.sampling}, to: ${(Array.isArray(content) ? content[0] : content).text}`;
    return { role: 'assistant', content: { type: 'text', text }, model: 'none' };
};
const capabilities = {
    ...(showsForms ? { elicitation: answers ? { form: {}, url: {} } : {} } : {}),
    ...(answers ? { sampling: {} } : {}),
    ...(plan.roots.length > 0 ? { roots: {} } : {}),
};
const us = { name: 'caponier-interop', version: '1' };

async function legacySdk() {
    const from = load('sdk');
    const { Client } = await from('@modelcontextprotocol/sdk/client/index.js');
    const { StdioClientTransport, getDefaultEnvironment } = await from('@modelcontextprotocol/sdk/client/stdio.js');
    const { ListRootsRequestSchema, ElicitRequestSchema, CreateMessageRequestSchema } = await from(
        '@modelcontextprotocol/sdk/types.js'
    );
    const client = new Client(us, { capabilities });
    if (capabilities.roots) client.setRequestHandler(ListRootsRequestSchema, roots);
    if (showsForms) client.setRequestHandler(ElicitRequestSchema, elicit);
    if (answers) client.setRequestHandler(CreateMessageRequestSchema, sample);
    return { client, StdioClientTransport, getDefaultEnvironment };
}

async function dualEra(mode) {
    const from = load('client');
    const { Client } = await from('@modelcontextprotocol/client');
    const { StdioClientTransport, getDefaultEnvironment } = await from('@modelcontextprotocol/client/stdio');
    const versionNegotiation = { mode: mode === 'legacy' || mode === 'auto' ? mode : { pin: mode } };
    const client = new Client(us, { capabilities, versionNegotiation });
    if (capabilities.roots) client.setRequestHandler('roots/list', roots);
    if (showsForms) client.setRequestHandler('elicitation/create', elicit);
    if (answers) client.setRequestHandler('sampling/createMessage', sample);
    return { client, StdioClientTransport, getDefaultEnvironment };
}

const failure = error => ({ error: error.name, code: error.code, message: error.message });
const attempt = async what => {
    try {
        return await what();
    } catch (error) {
        return failure(error);
    }
};
const each = async (list, name, ask) => {
    const seen = [];
    for (const item of list) seen.push({ [name]: item, answer: await attempt(() => ask(item)) });
    return seen;
};

async function drive() {
    const prepared = which === 'sdk' ? await legacySdk() : await dualEra(which.slice('client-'.length));
    const { client, StdioClientTransport, getDefaultEnvironment } = prepared;
    const env = { ...getDefaultEnvironment(), ...plan.env };
    await client.connect(new StdioClientTransport({ command, args, env }), { timeout: 60_000 });
    const seen = {
        protocol: client.getNegotiatedProtocolVersion?.() ?? null,
        server: client.getServerVersion(),
        capabilities: client.getServerCapabilities(),
        instructions: client.getInstructions() ?? null,
    };
    await attempt(() => client.listTools());
    seen.calls = await each(plan.calls, 'call', c => client.callTool({ name: c.tool, arguments: c.arguments }));
    // All at once.
    seen.together = (await Promise.all(plan.together.map(c => each([c], 'call', c =>
        client.callTool({ name: c.tool, arguments: c.arguments }))))).flat();
    seen.resources = await each(plan.resources, 'uri', uri => client.readResource({ uri }));
    seen.prompts = await each(plan.prompts, 'prompt', p => client.getPrompt(p));
    // Last: server-everything adds tools some time after the handshake.
    seen.tools = await attempt(() => client.listTools());
    if (says) seen.questions = questions;
    if (answers) seen.asked = [...asked].sort();
    await client.close();
    return seen;
}

let seen;
try {
    seen = await drive();
} catch (error) {
    seen = { 'not connected': failure(error) };
}
process.stdout.write(`${JSON.stringify(seen, null, 1)}\n`);
