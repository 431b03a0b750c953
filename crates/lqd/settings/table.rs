//! The macro that makes flags, keys of the file and settings from the one table in [`super::flags`].

/// Makes `Flags` (typed, by clap and serde), `Settings` (resolved), and the functions from one to the other.
///
/// A row is the help, `[clap's arguments]`, a deserializer of [`super::spelled`], and the flag with its typed
/// form. Then, unless another row resolves it too: whether `reload` applies a change or `restart` is needed,
/// and the field of `Settings` with its type and value. The first name bound to `|typed|` is the `Flags` in
/// the values.
macro_rules! settings {
    (|$typed:ident| $(
        $(#[$attribute:meta])+
        [$($clap:tt)+] $deserializer:literal $flag:ident: $type:ty
        $(=> $applied_by:ident $field:ident: $resolved:ty = $value:expr)?;
    )+) => {
        /// Flags as typed, and keys of the file of `--config`.
        #[derive(clap::Args, Clone, Debug, Default, serde::Deserialize, PartialEq, Eq)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct Flags {
            $(
                $(#[$attribute])+
                #[arg($($clap)+, verbatim_doc_comment)]
                #[serde(deserialize_with = $deserializer)]
                pub(crate) $flag: $type,
            )+
        }

        impl Flags {
            /// Fills in from `file` the flags that are not given.
            pub(super) fn over(self, file: Self) -> Self {
                Self { $($flag: super::table::Layer::over(self.$flag, file.$flag),)+ }
            }
        }

        /// Settings, checked and with defaults filled in; the help of each is at its flag in [`Flags`].
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct Settings {
            $($(pub(crate) $field: $resolved,)?)+
        }

        impl Settings {
            /// Resolves flags: defaults, names of interfaces, settings that depend on each other.
            pub(super) fn resolve($typed: &Flags) -> Result<Self, super::SettingsError> {
                Ok(Self { $($($field: $value,)?)+ })
            }

            /// Returns the names of settings that differ in `new` and need a restart.
            pub(crate) fn restart_needed(&self, new: &Self) -> Vec<String> {
                let differs = [
                    $($((
                        stringify!($flag),
                        stringify!($applied_by) == "restart" && self.$field != new.$field,
                    ),)?)+
                ];
                let names = differs.into_iter().filter_map(|(flag, differs)| differs.then_some(flag));
                names.map(|flag| flag.replace('_', "-")).collect()
            }
        }
    };
}

pub(super) use settings;

/// A typed value that may be missing.
pub(super) trait Layer {
    /// Returns this value if it is given, else the one below.
    fn over(self, below: Self) -> Self;
}

impl<T> Layer for Option<T> {
    fn over(self, below: Self) -> Self {
        self.or(below)
    }
}

impl Layer for bool {
    fn over(self, below: Self) -> Self {
        self || below
    }
}
