"""Drives one MCP server with the PyPI client `mcp` and prints what it saw as one JSON document.

    drive.py MODE PLAN -- COMMAND [ARG...]

MODE: what `mcp.Client` takes (legacy, auto, 2026-07-28). PLAN: a JSON file, see ../plan.rs. What the server writes
to stderr goes to ours. A call that fails is a line of the transcript, and so is a connection that fails: the caller
compares two transcripts, it does not want a traceback.
"""

import asyncio
import json
import os
import sys

import mcp_types as types
from mcp import Client, MCPError, StdioServerParameters
from pydantic import ValidationError


def plain(value):
    """Pydantic models as they stood on the wire."""
    return value.model_dump(mode="json", by_alias=True, exclude_unset=True)


def failure(error):
    """The innermost cause: a task group wraps what happened inside it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        return {"error": type(error).__name__, "code": error.error.code, "message": error.error.message}
    if isinstance(error, ValidationError):
        # Its text quotes the input, cut off wherever.
        return {"error": "ValidationError", "fields": error.errors(include_input=False, include_url=False)}
    return {"error": type(error).__name__, "message": str(error)}


async def attempt(awaitable):
    try:
        return plain(await awaitable)
    except Exception as error:
        return failure(error)


async def drive(mode, plan, command):
    # What the server asks is answered as the plan says; without a word in it, every question is declined.
    answers, asked = plan.get("answers"), []
    # Or what a person says to each question in turn; where they say nothing at all, the client shows no forms.
    says, questions = plan.get("says"), []
    shows_forms = says != []

    async def roots(_context):
        asked.append("roots/list")
        return types.ListRootsResult(roots=[types.Root(uri=uri, name="served") for uri in plan["roots"]])

    async def said(word):
        if word == "late":
            await asyncio.sleep(plan["late_s"])
        if word in ("accept", "late"):
            return types.ElicitResult(action="accept", content={"approve": True})
        if word == "bare":
            return types.ElicitResult(action="accept", content={"approve": False})
        return types.ElicitResult(action=word)

    async def elicit(_context, params):
        asked.append("elicitation/create")
        if says is not None:
            questions.append(params.message)
            return await said(says.pop(0))
        if not answers:
            return types.ElicitResult(action="decline")
        if getattr(params, "mode", "form") == "url":
            return types.ElicitResult(action="accept")
        return types.ElicitResult(**answers["elicitation"])

    async def sample(_context, params):
        asked.append("sampling/createMessage")
        text = types.TextContent(type="text", text=f"{answers['sampling']}, to: {params.messages[0].content.text}")
        return types.CreateMessageResult(role="assistant", content=text, model="none")

    server = StdioServerParameters(command=command[0], args=command[1:], env=plan["env"], cwd=os.getcwd())
    client = Client(
        server,
        mode=mode,
        cache=None,
        read_timeout_seconds=60,
        list_roots_callback=roots if plan["roots"] else None,
        elicitation_callback=elicit if shows_forms else None,
        sampling_callback=sample if answers else None,
    )
    seen = {}
    async with client:
        seen["protocol"] = client.protocol_version
        seen["server"] = plain(client.server_info) if client.server_info else None
        seen["capabilities"] = plain(client.server_capabilities)
        seen["instructions"] = client.instructions
        await attempt(client.list_tools())
        seen["calls"] = [
            {"call": call, "answer": await attempt(client.call_tool(call["tool"], call["arguments"]))}
            for call in plan["calls"]
        ]
        # All at once.
        together = await asyncio.gather(
            *(attempt(client.call_tool(call["tool"], call["arguments"])) for call in plan["together"])
        )
        seen["together"] = [{"call": call, "answer": answer} for call, answer in zip(plan["together"], together)]
        seen["resources"] = [
            {"uri": uri, "answer": await attempt(client.read_resource(uri))} for uri in plan["resources"]
        ]
        seen["prompts"] = [
            {"prompt": prompt, "answer": await attempt(client.get_prompt(prompt["name"], prompt["arguments"]))}
            for prompt in plan["prompts"]
        ]
        # Last: server-everything adds tools some time after the handshake.
        seen["tools"] = await attempt(client.list_tools())
    if says is not None:
        seen["questions"] = questions
    if answers:
        seen["asked"] = sorted(set(asked))
    return seen


def main():
    mode, plan_file, dashes, *command = sys.argv[1:]
    if dashes != "--" or not command:
        sys.exit(__doc__)
    with open(plan_file, encoding="utf-8") as file:
        plan = json.load(file)
    try:
        seen = asyncio.run(drive(mode, plan, command))
    except Exception as error:
        seen = {"not connected": failure(error)}
    json.dump(seen, sys.stdout, indent=1, sort_keys=True)
    print()


main()
