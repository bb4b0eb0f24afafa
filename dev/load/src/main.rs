use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    load::main()
}
