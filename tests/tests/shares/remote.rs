//! Services and registry of a machine elsewhere, at the level of the ports: what Samba's `net` makes of them.

use std::error::Error;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use qfe_patcher::host::{
    Credentials, HostError, HostErrorKind, Registry, RegistryAt, ServiceStart, ServiceState, Services,
    ServicesAt, Trouble,
};
use qfe_patcher::registry::{EXPAND_SZ, RegistryKey, RegistryValue, SZ};
use qfe_tests::share::{Share, User, until};

const SERVER: &str = "rpc:127.0.0.1";
const SETUP: &str = r"HKLM\SOFTWARE\Microsoft\SMS\Setup";
const KINDS: &str = r"HKLM\SOFTWARE\Kinds";
/// More than `net` and the patcher wait for a server that says nothing.
const PATIENCE: Duration = Duration::from_secs(90);

/// Does work with the server's services, as a user.
#[track_caller]
fn services<T: Send + 'static>(
    share: &Share,
    user: User,
    work: impl FnOnce(&dyn Services) -> T + Send + 'static,
) -> T {
    let credentials: Credentials = Some(share.credentials(user));
    share.inside(move || work(&*SERVER.parse::<ServicesAt>().unwrap().open(&credentials).unwrap()))
}

/// Does work with the server's registry, as a user.
#[track_caller]
fn registry<T: Send + 'static>(
    share: &Share,
    user: User,
    work: impl FnOnce(&dyn Registry) -> T + Send + 'static,
) -> T {
    let credentials: Credentials = Some(share.credentials(user));
    share.inside(move || work(&*SERVER.parse::<RegistryAt>().unwrap().open(&credentials).unwrap()))
}

fn key(text: &str) -> RegistryKey {
    text.parse().unwrap()
}

/// Returns an error with its cause, as the command line prints them.
fn story(error: &HostError) -> String {
    format!("{error}: {}", error.source().unwrap())
}

/// Requires that the system did not allow it, and says so.
#[track_caller]
fn is_denied(error: &HostError) {
    assert_eq!(error.trouble(), Trouble::AccessDenied, "{}", story(error));
}

/// Requires that it took less than this.
#[track_caller]
fn in_time<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
    result
}

#[test]
fn services_are_listed_stopped_and_started() {
    let Some(share) = Share::start_with_services() else { return };
    services(&share, User::Admin, |services| {
        let names = services.service_names().unwrap();
        for name in ["SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER", "SMS_SQL_MONITOR", "WinMgmt"] {
            assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
        }
        let executive = services.service("SMS_EXECUTIVE").unwrap().unwrap();
        assert_eq!((executive.state, executive.start), (ServiceState::Running, ServiceStart::Automatic));
        let monitor = services.service("sms_sql_monitor").unwrap().unwrap();
        assert_eq!((monitor.state, monitor.start), (ServiceState::Stopped, ServiceStart::Manual));
        assert_eq!(services.service("NETLOGON").unwrap().unwrap().start, ServiceStart::Disabled);

        let began = Instant::now();
        services.service("SMS_EXECUTIVE").unwrap();
        println!("a look at a service takes {:?}", began.elapsed());
        // The second time it is no error either.
        for _ in 0..2 {
            services.stop_service("SMS_EXECUTIVE").unwrap();
            assert_eq!(services.service("SMS_EXECUTIVE").unwrap().unwrap().state, ServiceState::Stopped);
        }
        for _ in 0..2 {
            services.start_service("SMS_EXECUTIVE").unwrap();
            assert_eq!(services.service("SMS_EXECUTIVE").unwrap().unwrap().state, ServiceState::Running);
        }
        services.stop_service("SMS_SITE_COMPONENT_MANAGER").unwrap();
    });
    assert_eq!(share.state("SMS_EXECUTIVE"), "running");
    assert_eq!(share.state("SMS_SITE_COMPONENT_MANAGER"), "stopped");
}

#[test]
fn services_that_need_a_service_are_named_in_the_order_in_which_they_stop() {
    let Some(share) = Share::start_with_services() else { return };
    share.set_needs("SMS_SITE_COMPONENT_MANAGER", "sms_executive/+NetworkProvider/");
    share.set_needs("SMS_SQL_MONITOR", "WinMgmt");
    // No Windows starts such a circle; to look at it must end all the same.
    share.set_needs("WinMgmt", "SMS_SITE_COMPONENT_MANAGER");
    services(&share, User::Admin, |services| {
        let dependents = |name| services.service(name).unwrap().unwrap().dependents;
        assert_eq!(dependents("WinMgmt"), ["SMS_SITE_COMPONENT_MANAGER", "SMS_EXECUTIVE"]);
        assert_eq!(dependents("winmgmt"), dependents("WinMgmt"));
        services.stop_service("SMS_SITE_COMPONENT_MANAGER").unwrap();
        assert_eq!(dependents("WinMgmt"), ["SMS_EXECUTIVE"]);
        services.start_service("SMS_SQL_MONITOR").unwrap();
        assert!(dependents("WinMgmt").contains(&"SMS_SQL_MONITOR".to_owned()));
    });
}

#[test]
fn a_service_that_is_not_there_is_told_from_one_that_may_not_be_controlled() {
    let Some(share) = Share::start_with_services() else { return };
    share.set_conduct("SMS_SQL_MONITOR", "denied");
    services(&share, User::Admin, |services| {
        for name in ["NO_SUCH", "-h", "--help", "Ü"] {
            assert_eq!(services.service(name).unwrap(), None, "{name}");
        }
        for refused in [services.stop_service("NO_SUCH"), services.start_service("NO_SUCH")] {
            let error = refused.unwrap_err();
            assert!(story(&error).contains("WERR_SERVICE_DOES_NOT_EXIST"), "{}", story(&error));
        }
        is_denied(&services.start_service("SMS_SQL_MONITOR").unwrap_err());
    });
    services(&share, User::Plain, |services| {
        assert_eq!(services.service("SMS_EXECUTIVE").unwrap().unwrap().state, ServiceState::Running);
        is_denied(&services.stop_service("SMS_EXECUTIVE").unwrap_err());
        is_denied(&services.start_service("SMS_SQL_MONITOR").unwrap_err());
    });
    assert_eq!(share.state("SMS_EXECUTIVE"), "running");
}

#[test]
fn a_service_that_refuses_is_named_and_one_that_hangs_is_seen_to_be_stopping() {
    let Some(share) = Share::start_with_services() else { return };
    share.set_conduct("SMS_EXECUTIVE", "refuses");
    share.set_conduct("SMS_SITE_COMPONENT_MANAGER", "hangs");
    let error = services(&share, User::Admin, |services| {
        let state = || services.service("SMS_SITE_COMPONENT_MANAGER").unwrap().unwrap().state;
        // The second time Windows cannot take the order, which is no error.
        for _ in 0..2 {
            services.stop_service("SMS_SITE_COMPONENT_MANAGER").unwrap();
            assert_eq!(state(), ServiceState::Stopping);
        }
        services.stop_service("SMS_EXECUTIVE").unwrap_err()
    });
    assert_eq!(error.trouble(), Trouble::Other);
    let expected = "cannot stop the service SMS_EXECUTIVE: Control service request failed.  \
        [WERR_SERVICE_CANNOT_ACCEPT_CTRL]";
    assert_eq!(story(&error), expected);
    assert_eq!(share.state("SMS_EXECUTIVE"), "running");
    share.set_state("SMS_SITE_COMPONENT_MANAGER", "stopped");
    services(&share, User::Admin, |services| {
        let manager = services.service("SMS_SITE_COMPONENT_MANAGER").unwrap().unwrap();
        assert_eq!(manager.state, ServiceState::Stopped);
    });
}

#[test]
fn registry_values_of_every_type_are_read_as_they_are() {
    let Some(share) = Share::start_with_services() else { return };
    registry(&share, User::Plain, |registry| {
        let read = |place: &str, name: &str| registry.value(&key(place), name).unwrap();
        let began = Instant::now();
        assert_eq!(read(SETUP, "Full Version"), Some(RegistryValue::text("2.00.1380.1000")));
        println!("the first value takes {:?}", began.elapsed());
        let began = Instant::now();
        assert_eq!(read(&SETUP.to_lowercase(), "TYPE"), Some(RegistryValue::number(1)));
        println!("another value takes {:?}", began.elapsed());
        assert_eq!(read(SETUP, "Missing"), None);
        assert_eq!(read(SETUP, "--help"), None);
        assert_eq!(read(SETUP, ""), None);
        assert_eq!(read(r"HKLM\SOFTWARE\Missing\Key", "Full Version"), None);
        for (place, is) in [(SETUP, true), (r"HKLM\SOFTWARE", true), (r"HKLM\SOFTWARE\Missing", false)] {
            assert_eq!(registry.has_key(&key(place)).unwrap(), is, "{place}");
        }
        for (name, value) in [
            ("Empty", RegistryValue::text("")),
            ("Nothing", RegistryValue { kind: SZ, data: Vec::new() }),
            ("Quotes", RegistryValue::text("a\"=\"b")),
            ("Lines", RegistryValue::text("a\n\"b")),
            ("Names", RegistryValue::text("Gerät 日")),
            ("Largest", RegistryValue::number(u32::MAX)),
            ("Path", RegistryValue { kind: EXPAND_SZ, data: RegistryValue::text("%A%").data }),
            ("List", RegistryValue::texts(["a", "b"])),
            ("bytes", RegistryValue { kind: 3, data: (0..31).chain([255]).collect() }),
            ("Long", RegistryValue { kind: 11, data: (1..9).collect() }),
        ] {
            assert_eq!(read(KINDS, name), Some(value), "{name}");
        }
    });
}

#[test]
fn registry_values_are_set_and_removed_with_their_keys() {
    let Some(share) = Share::start_with_services() else { return };
    registry(&share, User::Admin, |registry| {
        let deep = key(r"HKLM\SOFTWARE\Microsoft\Updates\SMS\Q252718");
        let values = [
            ("Text", RegistryValue::text("2.00.1493.2000")),
            ("Text", RegistryValue::text("a \"b\"\n%c% \\ 'd'")),
            ("Gerät", RegistryValue::text("日")),
            ("Empty", RegistryValue::text("")),
            ("", RegistryValue::text("--help")),
            ("-S", RegistryValue::text("-5")),
            ("Number", RegistryValue::number(u32::MAX)),
        ];
        for (name, value) in &values {
            registry.set_value(&deep, name, value).unwrap();
            assert_eq!(registry.value(&deep, name).unwrap().as_ref(), Some(value), "{name}");
        }
        registry.remove_key(&deep).unwrap();
        assert!(registry.has_key(&deep).unwrap(), "values are in it");
        registry.remove_key(&deep.parent().unwrap()).unwrap();
        assert!(registry.has_key(&deep).unwrap(), "its parent holds it");
        for (name, _) in &values {
            // The second time of one name it is not there.
            registry.remove_value(&deep, name).unwrap();
            assert_eq!(registry.value(&deep, name).unwrap(), None, "{name}");
        }
        registry.remove_value(&key(r"HKLM\SOFTWARE\Missing"), "x").unwrap();
        for _ in 0..2 {
            registry.remove_key(&deep).unwrap();
            assert!(!registry.has_key(&deep).unwrap());
        }
        assert!(registry.has_key(&deep.parent().unwrap()).unwrap());
    });
}

#[test]
fn a_value_that_could_not_be_put_back_is_not_touched() {
    let Some(share) = Share::start_with_services() else { return };
    registry(&share, User::Admin, |registry| {
        let kinds = key(KINDS);
        let text = RegistryValue::text("x");
        for name in ["Path", "List", "Bytes"] {
            let before = registry.value(&kinds, name).unwrap();
            for error in [registry.set_value(&kinds, name, &text), registry.remove_value(&kinds, name)] {
                let error = error.unwrap_err();
                assert!(story(&error).contains("net can write texts"), "{}", story(&error));
            }
            assert_eq!(registry.value(&kinds, name).unwrap(), before, "{name}");
        }
        let list = RegistryValue::texts(["a"]);
        registry.set_value(&key(r"HKLM\SOFTWARE\New"), "List", &list).unwrap_err();
        assert!(!registry.has_key(&key(r"HKLM\SOFTWARE\New")).unwrap());
        registry.set_value(&key(r"HKLM\SOFTWARE\with/slash"), "x", &text).unwrap_err();
    });
}

#[test]
fn a_plain_user_may_not_write_to_the_registry() {
    let Some(share) = Share::start_with_services() else { return };
    registry(&share, User::Plain, |registry| {
        let text = RegistryValue::text("x");
        is_denied(&registry.set_value(&key(SETUP), "Full Version", &text).unwrap_err());
        is_denied(&registry.set_value(&key(r"HKLM\SOFTWARE\New\Key"), "x", &text).unwrap_err());
        is_denied(&registry.remove_value(&key(SETUP), "Full Version").unwrap_err());
        let version = registry.value(&key(SETUP), "Full Version").unwrap();
        assert_eq!(version, Some(RegistryValue::text("2.00.1380.1000")));
    });
}

#[test]
fn a_64_bit_machine_keeps_the_keys_of_32_bit_programs_elsewhere() {
    let Some(share) = Share::start_with_services() else { return };
    let redirected = r"HKLM\SOFTWARE\Wow6432Node\Microsoft\SMS\Setup";
    registry(&share, User::Admin, move |registry| {
        // Such a key is never redirected itself.
        registry.set_value(&key(redirected), "Full Version", &RegistryValue::text("2.00.1493.2000")).unwrap();
    });
    registry(&share, User::Admin, move |registry| {
        let read = |place: &str, name: &str| registry.value(&key(place), name).unwrap();
        assert_eq!(read(SETUP, "Full Version"), Some(RegistryValue::text("2.00.1493.2000")));
        assert_eq!(read(SETUP, "Type"), None);
        registry.set_value(&key(SETUP), "Type", &RegistryValue::number(6)).unwrap();
        assert_eq!(read(redirected, "Type"), Some(RegistryValue::number(6)));
    });
}

#[test]
fn no_password_is_in_an_argument_a_variable_or_an_error() {
    let Some(share) = Share::start_with_services() else { return };
    let mut stories = services(&share, User::Impostor, |services| {
        let error = services.service("SMS_EXECUTIVE").unwrap_err();
        is_denied(&error);
        [story(&error), story(&services.service_names().unwrap_err())].join("\n")
    });
    stories += &registry(&share, User::Impostor, |registry| {
        let error = registry.value(&key(SETUP), "Full Version").unwrap_err();
        is_denied(&error);
        let text = RegistryValue::text("x");
        [story(&error), story(&registry.set_value(&key(SETUP), "x", &text).unwrap_err())].join("\n")
    });
    assert!(stories.contains("NT_STATUS_LOGON_FAILURE"), "{stories}");
    services(&share, User::Admin, |services| services.service("WinMgmt").unwrap());
    let calls = share.calls();
    assert!(calls.contains("call: -N -S 127.0.0.1 -A "), "{calls}");
    for user in [User::Admin, User::Impostor] {
        assert!(!calls.contains(user.password()), "{calls}");
        assert!(!stories.contains(user.password()), "{stories}");
    }
    // Without a password nobody is asked for one: the server takes nobody in.
    share.inside(|| {
        let services = SERVER.parse::<ServicesAt>().unwrap().open(&None).unwrap();
        is_denied(&services.service("SMS_EXECUTIVE").unwrap_err());
    });
}

#[test]
fn a_server_that_is_gone_is_told_at_once() {
    let Some(share) = Share::start_with_services() else { return };
    share.kill_server();
    let gone = |error: HostError| {
        let kind = match error.kind() {
            HostErrorKind::Service { source, .. } | HostErrorKind::Registry { source, .. } => source.kind(),
            other => panic!("{other}"),
        };
        assert_eq!(kind, ErrorKind::ConnectionRefused, "{}", story(&error));
    };
    in_time(Duration::from_secs(10), || {
        gone(services(&share, User::Admin, |services| services.service("SMS_EXECUTIVE").unwrap_err()));
        gone(registry(&share, User::Admin, |registry| registry.value(&key(SETUP), "Type").unwrap_err()));
        gone(registry(&share, User::Admin, |registry| registry.has_key(&key(SETUP)).unwrap_err()));
    });
    share.restart_server();
    services(&share, User::Admin, |services| services.service("SMS_EXECUTIVE").unwrap().unwrap());
}

#[test]
fn a_server_that_hangs_is_given_up_and_one_that_dies_meanwhile_is_told() {
    let Some(share) = Share::start_with_services() else { return };
    share.freeze_server();
    let credentials: Credentials = Some(share.credentials(User::Admin));
    let ask = move || {
        let services = SERVER.parse::<ServicesAt>().unwrap().open(&credentials).unwrap();
        services.service("SMS_EXECUTIVE").unwrap_err()
    };
    let error = in_time(PATIENCE, || share.inside(ask.clone()));
    assert!(story(&error).contains("NT_STATUS_IO_TIMEOUT"), "{}", story(&error));

    let asking = share.start_inside(ask);
    assert!(until(PATIENCE, || share.has_connection()), "it asks");
    share.kill_server();
    let error = in_time(Duration::from_secs(10), || asking.join().unwrap());
    println!("a server that dies meanwhile: {}", story(&error));
    assert!(story(&error).contains("NT_STATUS_CONNECTION_"), "{}", story(&error));
}
