"""Reads an export as a consumer of the format does, and prints what it found as one JSON document.

    read.py ocsf|otlp|csv FILE

ocsf: every line against the published schema of OCSF 1.5.0 (package ocsf-json-schema), for its class and with the
profiles that it names; unknown attributes are errors there.
otlp: every line as TracesData (package opentelemetry-proto). OTLP/JSON is protobuf's JSON mapping with one exception:
trace and span ids are hex, where that mapping has base64 (OTLP specification, "JSON Protobuf Encoding"). A consumer turns
them, and so does this one; everything else goes to protobuf's strict parser as it stands.
csv: with Python's own reader.
"""

import base64
import csv
import json
import sys

ID_FIELDS = ("traceId", "spanId", "parentSpanId")


def ocsf(lines):
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
    validators, errors, classes, activities = {}, [], {}, []
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        profiles = tuple(event["metadata"]["profiles"])
        key = (event["class_uid"], profiles)
        if key not in validators:
            name = "base_event" if key[0] == 0 else schema.lookup_class_name_from_uid(key[0])
            if name == "base_event" and name not in schema.schema.schema["classes"]:
                schema.schema.schema["classes"][name] = schema.schema.schema["base_event"]
            validators[key] = Draft202012Validator(schema.get_class_schema(name, list(profiles)))
        for error in validators[key].iter_errors(event):
            errors.append(f"line {number} class {key[0]}: {error.json_path}: {error.message[:300]}")
        if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
            errors.append(f"line {number}: type_uid {event['type_uid']}")
        classes[str(key[0])] = classes.get(str(key[0]), 0) + 1
        activities.append([event["class_uid"], event["activity_id"], event["metadata"]["event_code"], event.get("action_id")])
    return {"lines": len(activities), "errors": errors[:20], "classes": classes, "activities": activities}


def to_base64(value):
    if isinstance(value, dict):
        return {
            name: base64.b64encode(bytes.fromhex(inner)).decode() if name in ID_FIELDS else to_base64(inner)
            for name, inner in value.items()
        }
    return [to_base64(inner) for inner in value] if isinstance(value, list) else value


def plain(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [plain(value) for value in any_value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in any_value.kvlist_value.values}
    return getattr(any_value, kind) if kind else None


def otlp(lines):
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    spans = []
    for line in lines:
        traces = ParseDict(to_base64(json.loads(line)), TracesData())
        for resource in traces.resource_spans:
            service = {pair.key: plain(pair.value) for pair in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    spans.append({
                        "service": service.get("service.name"), "trace": span.trace_id.hex(), "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(), "name": span.name, "kind": span.kind,
                        "nanos": span.end_time_unix_nano - span.start_time_unix_nano, "start": span.start_time_unix_nano,
                        "status": span.status.code, "dropped": span.dropped_events_count,
                        "attributes": {pair.key: plain(pair.value) for pair in span.attributes},
                        "events": [[event.name, event.time_unix_nano, {pair.key: plain(pair.value) for pair in event.attributes}]
                                   for event in span.events],
                    })
    return {"spans": spans}


def main():
    kind, name = sys.argv[1:]
    with open(name, encoding="utf-8", newline="") as file:
        if kind == "csv":
            rows = list(csv.reader(file, strict=True))
            return {"header": rows[0], "rows": rows[1:]}
        return {"ocsf": ocsf, "otlp": otlp}[kind]([line for line in file if line.strip()])


print(json.dumps(main()))
