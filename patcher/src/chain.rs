//! Errors with their causes as text.

use std::error::Error;

/// Has an error debugged as it is shown.
///
/// Every error must have such a form, and only tests print it: derived, that of all errors takes 8 KB of the patcher.
macro_rules! debug_as_shown {
    ($error:ident) => {
        impl ::core::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(self, f)
            }
        }
    };
}
pub(crate) use debug_as_shown;

/// Makes an error one pointer to what is wrong, of the kinds that an enum has: what may fail in many places is moved in each.
macro_rules! error_of_kinds {
    ($(#[$doc:meta])* $error:ident, $kind:ident) => {
        $(#[$doc])*
        #[derive(::thiserror::Error)]
        #[error(transparent)]
        pub struct $error(::std::boxed::Box<$kind>);

        $crate::chain::debug_as_shown!($error);
        $crate::chain::debug_as_shown!($kind);

        impl $error {
            /// Tells what is wrong.
            pub fn kind(&self) -> &$kind {
                &self.0
            }
        }

        impl<E> ::core::convert::From<E> for $error
        where
            $kind: ::core::convert::From<E>,
        {
            #[cold]
            fn from(error: E) -> Self {
                Self(::std::boxed::Box::new(error.into()))
            }
        }
    };
}
pub(crate) use error_of_kinds;

/// Returns the messages of an error and of its causes, outermost first; a message that only repeats is left out.
pub fn messages(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let message = error.to_string();
        if messages.last() != Some(&message) {
            messages.push(message);
        }
        next = error.source();
    }
    messages
}

/// Returns an error and its causes in one line.
pub fn line(error: &(dyn Error + 'static)) -> String {
    messages(error).join(": ")
}
