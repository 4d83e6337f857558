//! The servers' own command line clients, made to compress, through `bifocal serve`.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{
    VERSIONED,
    support::{
        migrated::{DATABASE, Migrated},
        server::{Coverage, Family, Kind},
    },
};

/// The length of a value; more than fits into one frame.
const LEN: usize = 3 << 20;

/// Lines of a file that takes more than 256 packets.
const LINES: usize = 100_000;

/// All clients, with all that they can do, on both kinds of connection.
pub fn run(migrated: &Migrated, folder: &Path) -> Result<()> {
    let file = folder.join("lines");
    let lines: Vec<String> = (0..LINES).map(|n| format!("{n}\t{}\n", "word".repeat(n % 40))).collect();
    fs::write(&file, lines.concat())?;
    for (backend, log) in [("off", "clients-off.log"), ("zstd", "clients-zstd.log")] {
        let options = ["--listen", "127.0.0.1:0", "--backend-compression", backend];
        let proxy = migrated.serve(&options, &folder.join(log))?;
        for kind in Coverage::find(&[])?.covered {
            let ways: &[&str] = match kind.family {
                Family::MariaDb => &["--compress"],
                Family::MySql => &[
                    "--compression-algorithms=zlib",
                    "--compression-algorithms=zstd",
                    "--compression-algorithms=zstd,zlib",
                ],
            };
            for option in ways {
                for database in [DATABASE, VERSIONED] {
                    talk(&kind, proxy.port, option, database, &file)
                        .with_context(|| format!("{} {option}, backend {backend}, {database}", kind.name))?;
                }
            }
        }
    }
    Ok(())
}

fn talk(kind: &Kind, port: u16, option: &str, database: &str, file: &Path) -> Result<()> {
    let value = "v".repeat(LEN);
    let script = format!(
        "status\nUSE mysql;\nSELECT CONCAT('len ', LENGTH('{value}'));\nSELECT REPEAT('r', {LEN});\n\
         CREATE TEMPORARY TABLE shelf (id INT, word VARCHAR(300));\n\
         LOAD DATA LOCAL INFILE '{}' INTO TABLE shelf;\n\
         SELECT CONCAT('sum ', COUNT(*), ' ', SUM(id), ' ', SUM(LENGTH(word))) FROM shelf;\n\
         SELECT word FROM shelf WHERE id % 40 = 39;\nSELECT 'done';\n",
        file.display()
    );
    let mut options = vec!["--host=127.0.0.1".to_owned(), format!("--port={port}"), "--user=root".to_owned()];
    options.extend(["--protocol=tcp", "--batch", "--skip-column-names", "--local-infile=1"].map(str::to_owned));
    options.extend(["--max-allowed-packet=64M".to_owned(), option.to_owned(), database.to_owned()]);
    options.push(match kind.family {
        Family::MariaDb => "--skip-ssl".to_owned(),
        // Else it takes `status` for SQL.
        Family::MySql => "--commands".to_owned(),
    });
    let mut client = Command::new(kind.home().join("client"))
        .args(&options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = client.stdin.take().context("no stdin")?;
    // It reads all of it while it prints.
    let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
    let output = client.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", output.status);
    ensure!(writer.join().is_ok_and(|written| written.is_ok()), "it did not read its input");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    ensure!(lines.iter().any(|line| line.contains("Compressed")), "it does not compress: {:?}", &lines[..20]);
    let words: usize = (0..LINES).map(|n| n % 40 * 4).sum();
    let sum = format!("sum {LINES} {} {words}", LINES * (LINES - 1) / 2);
    for expected in [format!("len {LEN}"), "r".repeat(LEN), sum, "done".to_owned()] {
        ensure!(lines.contains(&expected.as_str()), "no {expected:.40}: {said}");
    }
    let long = "word".repeat(39);
    ensure!(lines.iter().filter(|line| **line == long).count() == LINES / 40, "rows are missing");
    Ok(())
}
