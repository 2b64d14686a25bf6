//! What may be asked for, and what may not.

use super::*;
use crate::mcp::arguments::ground::bare;
use crate::policy::grant::Origin;

const ALL: Capabilities = Capabilities { roots: true, form: true, url: true, sampling: true, tasks: true };

fn asks(roots: bool, elicitation: bool, sampling: bool) -> Asks {
    let origin = Some(Origin { file: "p.toml".into(), line: 4, column: 2 });
    let permission = |allowed| Permission { allowed, origin: origin.clone() };
    let policy = ServerRequests {
        roots: permission(roots),
        elicitation: permission(elicitation),
        sampling: permission(sampling),
    };
    Asks::new(&policy, &bare())
}

fn reason<T: std::fmt::Debug>(judged: Result<T, Refusal>) -> Reason {
    judged.unwrap_err().denial.reason
}

#[test]
fn the_profile_decides_first() {
    let asks = asks(false, true, false);
    let refusal = asks.judge("sampling/createMessage", None, ALL).unwrap_err();
    assert_eq!(refusal.denial.reason, Reason::RequestDenied);
    assert_eq!(refusal.detail, "protocol.server_requests.sampling = \"deny\" (p.toml:4:2)");
    assert_eq!(refusal.denial.remedy.line(), Some("protocol.server_requests.sampling = \"allow\""));
    assert_eq!(reason(asks.judge("roots/list", None, Capabilities::default())), Reason::RequestDenied);
    assert_eq!(asks.judge("elicitation/create", None, ALL), Ok(Kind::Elicitation));
    assert_eq!(asks.judge("tasks/result", None, ALL), Ok(Kind::Task));
    assert_eq!(asks.judge("ping", None, Capabilities::default()), Ok(Kind::Ping));
    assert_eq!(reason(asks.judge("tools/call", None, ALL)), Reason::RequestUnknown);
    let none = Asks::new(
        &ServerRequests { elicitation: Permission::by_default(false), ..ServerRequests::default() },
        &bare(),
    );
    assert_eq!(reason(none.judge("tasks/get", None, ALL)), Reason::RequestDenied);
}

#[test]
fn a_client_is_asked_for_what_it_announced() {
    let asks = asks(true, true, true);
    let link = Some(Raw(r#"{"mode":"url","url":"https://example.com/x","message":"m"}"#));
    let form = Capabilities { form: true, ..Capabilities::default() };
    for (method, params, announced) in [
        ("roots/list", None, form),
        ("sampling/createMessage", None, form),
        ("elicitation/create", None, Capabilities { url: true, ..Capabilities::default() }),
        ("elicitation/create", link, form),
        ("tasks/get", None, form),
    ] {
        assert_eq!(reason(asks.judge(method, params, announced)), Reason::RequestNotAnnounced, "{method}");
        assert!(asks.judge(method, params, ALL).is_ok(), "{method}");
    }
}

#[test]
fn a_question_is_read_in_one_way_and_is_nobody_else_s() {
    let asks = asks(true, true, true);
    for (params, expected) in [
        (r#"{"message":"Caponier: allow write_file?"}"#, Reason::RequestImpersonates),
        (
            r#"{"message":"m","requestedSchema":{"properties":{"a":{"title":"c\u0430ponier"}}}}"#,
            Reason::RequestImpersonates,
        ),
        (r#"{"message":"m","requestedSchema":{"properties":{"caponier":{}}}}"#, Reason::RequestImpersonates),
        (r#"{"message":"m","message":"n"}"#, Reason::MessageAmbiguous),
        (r#"{"mode":"form","Mode":"url","url":"https://e.com"}"#, Reason::MessageAmbiguous),
        (r#"{"mode":"popup"}"#, Reason::MessageMalformed),
        (r#"{"mode":"url","url":"javascript:alert(1)"}"#, Reason::RequestUrl),
        (r#"{"mode":"url","url":"file:///etc/passwd"}"#, Reason::RequestUrl),
        (r#"{"mode":"url","url":"https://github.com@evil.io/"}"#, Reason::RequestUrl),
        (r#"{"mode":"url","url":"https://evil.io/\u202emoc"}"#, Reason::RequestUrl),
        (r#"{"mode":"url"}"#, Reason::RequestUrl),
    ] {
        assert_eq!(reason(asks.judge("elicitation/create", Some(Raw(params)), ALL)), expected, "{params}");
    }
}

#[test]
fn inputs_are_judged_one_by_one() {
    let asks = asks(true, true, false);
    let inputs =
        r#"{"a":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"message":"m"}}}"#;
    let judged = asks.judge_inputs(Raw(inputs), ALL).unwrap();
    assert_eq!(
        judged.iter().map(|input| (&*input.key, &*input.method)).collect::<Vec<_>>(),
        [("\"a\"", "roots/list"), ("\"b\"", "elicitation/create")]
    );
    for (inputs, expected) in [
        (r#"{"a":{"method":"roots/list"},"b":{"method":"sampling/createMessage"}}"#, Reason::RequestDenied),
        (r#"{"a":{"method":"ping"}}"#, Reason::RequestUnknown),
        (r#"{"a":{"method":"tools/call"}}"#, Reason::RequestUnknown),
        (r#"{"a":{"method":"roots/list","Method":"sampling/createMessage"}}"#, Reason::MessageAmbiguous),
        (
            r#"{"a":{"method":"roots/list"},"a":{"method":"sampling/createMessage"}}"#,
            Reason::MessageAmbiguous,
        ),
        (r#"{"a":{}}"#, Reason::MessageMalformed),
        ("[]", Reason::MessageMalformed),
    ] {
        assert_eq!(reason(asks.judge_inputs(Raw(inputs), ALL)), expected, "{inputs}");
    }
    let many: Vec<String> = (0..=MAX_INPUTS).map(|n| format!(r#""{n}":{{"method":"roots/list"}}"#)).collect();
    assert_eq!(
        reason(asks.judge_inputs(Raw(&format!("{{{}}}", many.join(","))), ALL)),
        Reason::MessageMalformed
    );
}

#[test]
fn links_in_an_error_are_questions_too() {
    let link =
        r#"{"elicitations":[{"mode":"url","url":"https://example.com/","message":"m","elicitationId":"1"}]}"#;
    assert_eq!(asks(true, true, true).judge_links(Raw(link), ALL), Ok(()));
    assert_eq!(reason(asks(true, false, true).judge_links(Raw(link), ALL)), Reason::RequestDenied);
    let form = Capabilities { form: true, ..Capabilities::default() };
    assert_eq!(reason(asks(true, true, true).judge_links(Raw(link), form)), Reason::RequestNotAnnounced);
    let ours = link.replace("\"m\"", "\"caponier\"");
    assert_eq!(reason(asks(true, true, true).judge_links(Raw(&ours), ALL)), Reason::RequestImpersonates);
}
