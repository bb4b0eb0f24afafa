use std::{
    fs,
    io::{BufRead as _, Write as _, stdin, stdout},
};

use embedded::DataDir;

use crate::Config;

const YES: &str = "delete everything";

/// Deletes the data folder, after a question. Refuses while a box office runs on it.
pub fn reset(config: &Config, yes: bool) -> anyhow::Result<()> {
    if !config.data_dir.exists() {
        println!("There is nothing at {}.", config.data_dir.display());
        return Ok(());
    }
    let data = DataDir::open(&config.data_dir)?;
    if !yes && !confirmed(&data)? {
        println!("Nothing was deleted.");
        return Ok(());
    }
    fs::remove_dir_all(data.path())?;
    println!(
        "Deleted {}. The next start is a first start.",
        data.path().display()
    );
    Ok(())
}

fn confirmed(data: &DataDir) -> std::io::Result<bool> {
    print!(
        "This deletes every event, order and mail in {}.\nType \"{YES}\" to go on: ",
        data.path().display()
    );
    stdout().flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == YES)
}
