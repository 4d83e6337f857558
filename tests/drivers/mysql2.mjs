// Runs a job through Node's mysql2: node mysql2.mjs JOB. MODULES says where mysql2 is.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const mysql = createRequire(`${process.env.MODULES}/`)('mysql2/promise');

class Wrong extends Error {}

function expect(step, what, want, got) {
    if (JSON.stringify(want) !== JSON.stringify(got)) {
        throw new Wrong(`${step.sql ?? step.large}: ${what}: expected ${JSON.stringify(want)}, got ${JSON.stringify(got)}`);
    }
}

const plain = (rows) => rows.map((row) => row.map((cell) => (cell === null ? null : String(cell))));

const argument = (value) => (typeof value === 'object' ? value.repeat[0].repeat(value.repeat[1]) : value);

async function large(connection, step) {
    let count = 0;
    for await (const [id, mail, big] of connection.connection.query({ sql: step.large, rowsAsArray: true }).stream()) {
        count += 1;
        expect(step, 'row', [count, `user${String(count).padStart(3, '0')}@example.com`], [id, mail]);
        if (big !== String.fromCharCode(97 + (count % 26)).repeat(step.length)) {
            throw new Wrong(`${step.large}: row ${count}: big is ${big.length} times '${big[0]}'...`);
        }
    }
    expect(step, 'number of rows', step.count, count);
}

async function statement(connection, step) {
    const options = { sql: step.sql, rowsAsArray: true };
    const [rows, fields] = step.args
        ? await connection.execute(options, step.args.map(argument))
        : await connection.query(options);
    if (step.rows) {
        expect(step, 'columns', step.columns ?? fields.map((field) => field.name), fields.map((field) => field.name));
        expect(step, 'rows', plain(step.rows), plain(rows));
    } else if (step.affected !== undefined) {
        expect(step, 'affected rows', step.affected, rows.affectedRows);
        expect(step, 'insert id', step.insert_id ?? rows.insertId, rows.insertId);
    }
}

async function run(connection, step) {
    if (step.do === 'begin') await connection.beginTransaction();
    else if (step.do) await connection[step.do]();
    else if (step.large) await large(connection, step);
    else await statement(connection, step);
}

async function main(job) {
    const connection = await mysql.createConnection({ ...job.login, charset: 'utf8mb4' });
    for (const step of job.steps) {
        let error;
        try {
            await run(connection, step);
        } catch (thrown) {
            if (thrown instanceof Wrong || thrown.errno === undefined) throw thrown;
            error = thrown;
        }
        if (error && step.error === undefined) throw new Wrong(`${step.sql ?? step.large ?? step.do}: ${error.message}`);
        expect(step, 'error', step.error, error?.errno);
        if (error && !error.message.includes(step.says)) throw new Wrong(`${step.sql}: ${error.message}`);
    }
    await connection.end();
}

try {
    await main(JSON.parse(readFileSync(process.argv[2], 'utf8')));
} catch (error) {
    console.error(error instanceof Wrong ? error.message.slice(0, 2000) : error);
    process.exit(1);
}
