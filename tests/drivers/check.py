"""Holds what a Python driver gives against a step."""


class Wrong(Exception):
    pass


def value(argument):
    if isinstance(argument, dict):
        text, times = argument["repeat"]
        return text * times
    return argument


def plain(cell):
    if isinstance(cell, (bytes, bytearray)):
        return cell.decode()
    return None if cell is None else str(cell)


def columns(step, names):
    expect(step, "columns", step.get("columns", names), names)


def rows(step, got):
    if "large" in step:
        return large(step, got)
    want = [[plain(cell) for cell in row] for row in step["rows"]]
    expect(step, "rows", want, [[plain(cell) for cell in row] for row in got])


def large(step, got):
    count = 0
    for user, mail, big in got:
        count += 1
        letter = "abcdefghijklmnopqrstuvwxyz"[count % 26]
        expect(step, "row", [str(count), f"user{count:03}@example.com"], [plain(user), plain(mail)])
        big = plain(big)
        if big != letter * step["length"]:
            raise Wrong(f"{step['large']}: row {count}: big is {len(big)} times {big[:1]!r}…")
    expect(step, "number of rows", step["count"], count)


def done(step, affected, insert_id):
    expect(step, "affected rows", step["affected"], affected)
    if "insert_id" in step:
        expect(step, "insert id", step["insert_id"], insert_id)


def error(step, number, text):
    if "error" not in step:
        raise Wrong(f"{step.get('sql', step)}: error {number}: {text}")
    expect(step, "error", step["error"], number)
    if step["says"] not in text:
        raise Wrong(f"{step['sql']}: the error does not say {step['says']!r}: {text}")


def expect(step, what, want, got):
    if want != got:
        raise Wrong(f"{step.get('sql') or step.get('large')}: {what}: expected {want!r}, got {got!r}")
