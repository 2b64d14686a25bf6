// Opens one page in the system's Chromium, does what a plan says, and prints what there was to see as one JSON document:
// the answers to the plan's questions, and everything that a page of ours must never cause: messages on the console,
// errors, dialogs, requests, violations of the policy.
//
//     page.mjs PAGE PLAN      PLAN: [["size", 1440, 1000], ["press", "ArrowDown"], ["tell", "document.title"], ...]

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [file, plan] = process.argv.slice(2);
const require = createRequire(`${process.env.CAPONIER_PEERS}/npm/browser/package.json`);
const { chromium } = require('playwright-core');

const profile = mkdtempSync(join(tmpdir(), 'browser-'));
const browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    viewport: { width: 1440, height: 1000 },
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
});
const seen = { console: [], errors: [], dialogs: [], requests: [], violations: [], answers: [] };
try {
    const page = await browser.newPage();
    page.on('console', message => seen.console.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', error => seen.errors.push(error.message));
    page.on('dialog', dialog => {
        seen.dialogs.push(dialog.message());
        return dialog.dismiss();
    });
    page.on('request', request => seen.requests.push(request.url()));
    await page.exposeFunction('violated', what => { seen.violations.push(what); });
    await page.addInitScript(() => document.addEventListener('securitypolicyviolation',
        event => window.violated(`${event.effectiveDirective} ${event.blockedURI}`)));
    await page.goto(pathToFileURL(file).href);

    const steps = {
        size: (width, height) => page.setViewportSize({ width, height }),
        scheme: colorScheme => page.emulateMedia({ colorScheme }),
        media: media => page.emulateMedia({ media }),
        press: key => page.keyboard.press(key),
        fill: (on, text) => page.fill(on, text),
        select: (on, value) => page.selectOption(on, value),
        click: on => page.click(on),
        focus: on => page.focus(on),
        shot: path => page.screenshot({ path }),
        pdf: async path => { await page.pdf({ path, format: 'A4' }); },
        tell: async expression => { seen.answers.push(await page.evaluate(expression)); },
    };
    for (const [step, ...words] of JSON.parse(readFileSync(plan, 'utf8'))) {
        await steps[step](...words);
        // A list that draws on scroll draws in the next frame.
        await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
    }
} finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
}
console.log(JSON.stringify(seen));
