"""The benchmark's own clients read frames as they are, and its figures are what they say."""

from __future__ import annotations

import json
import struct

import httpx
import pytest
from django.core.management import CommandError, call_command

from dashboard.bench.answers import served
from dashboard.bench.live import delays, percentiles
from dashboard.bench.sockets import LOST, Message, Viewer, of_page, of_program
from dashboard.bench.tables import text_of

HELLO = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def frame(payload, code=1):
    size = len(payload)
    if size < 126:
        return bytes([0x80 | code, size]) + payload
    if size < 65536:
        return bytes([0x80 | code, 126]) + struct.pack("!H", size) + payload
    return bytes([0x80 | code, 127]) + struct.pack("!Q", size) + payload


def told(first, last, filler=""):
    events = [{"run": 1, "seq": seq, "kind": "x", "data": {"message": filler}} for seq in range(first, last + 1)]
    return json.dumps({"events": events}).encode()


class Wire:
    def __init__(self):
        self.sent = b""
        self.gone = False

    def write(self, data):
        self.sent += data

    def close(self):
        self.gone = True

    abort = close


def viewer(read):
    made = Viewer("/", "", read)
    made.transport = Wire()
    return made


@pytest.mark.parametrize("piece", [1, 7, 1000, 10**6])
async def test_frames_of_all_sizes_arrive_whole_however_they_are_cut(piece):
    stream = HELLO + b"".join(frame(told(*part)) for part in ((1, 1), (2, 3, "x" * 200), (4, 9, "y" * 30_000)))
    one = viewer(of_program)
    for start in range(0, len(stream), piece):
        one.data_received(stream[start : start + piece])
    assert [(message.seq, message.events) for message in one.messages] == [(1, 1), (3, 2), (9, 6)]


async def test_pings_are_answered_and_ends_are_noted():
    one = viewer(of_program)
    one.data_received(HELLO + frame(b"hi", code=9) + frame(struct.pack("!H", 4408), code=8))
    assert one.transport.sent == bytes([0x8A, 0x82]) + b"\0\0\0\0" + b"hi"
    assert (one.closed, one.transport.gone) == (4408, True)
    lost = viewer(of_program)
    lost.connection_lost(None)
    assert lost.closed == LOST
    refused = viewer(of_program)
    refused.data_received(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert refused.transport.gone


def test_what_a_page_gets_is_known_by_its_header():
    assert of_page(b'<section id="run-head" data-seq="17">', 1.0) == Message(1.0, 17, 0, 37)
    assert of_page(b'{"alive": 17}', 1.0) is None


def test_a_delay_lasts_until_the_first_message_that_knows():
    messages = [Message(10.3, 2, 2, 0), Message(10.9, 5, 3, 0)]
    times = [(1, 9.0), (2, 10.0), (3, 10.4), (4, 10.5), (5, 10.6), (6, 10.7)]
    assert delays(times, messages, since=9.5) == pytest.approx([0.3, 0.5, 0.4, 0.3])
    assert delays(times, messages, since=9.5, until=10.4) == pytest.approx([0.3, 0.5])
    assert percentiles([0.1] * 98 + [0.5, 0.9]) == {"median_ms": 100.0, "p95_ms": 100.0, "p99_ms": 900.0}
    assert percentiles([]) == {"median_ms": 0.0, "p95_ms": 0.0, "p99_ms": 0.0}


def test_tables_show_every_figure():
    text = text_of({"part": [{"of": "page", "ms": 1234.5}, {"of": "program", "ms": 2, "gaps": 0}]})
    for word in ("part", "page", "1,234.5", "gaps"):
        assert word in text


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("bench_live", ["--only", "everything"]), ("bench_live", ["--viewers", "1"]), ("bench_live", ["--tasks", "5"]),
        ("bench_fill", ["--runs", "1"]), ("bench_fill", ["--rounds", "-1"]), ("bench_pages", ["--tasks", "5"]),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(command, options):
    with pytest.raises(CommandError) as caught:
        call_command(command, *options)
    assert caught.value.returncode == 2


def test_nothing_is_filled_into_a_folder_in_use(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(CommandError, match="not empty"):
        call_command("bench_fill", "--into", str(tmp_path))
    for command in ("bench_live", "bench_fill", "bench_pages"):
        with pytest.raises(CommandError, match="new folder"):
            call_command(command, inside=str(tmp_path))


@pytest.mark.slow
def test_a_server_without_an_engine_is_waited_for(settings, tmp_path, transactional_db):
    """It is never ready for tasks, which `/readyz` says."""
    settings.DATA_DIR = tmp_path
    with served("--no-engine") as url:
        assert httpx.get(f"{url}/readyz").status_code == 503


@pytest.mark.slow
def test_live(capsys):
    """A reader that does not read is given up, those that do miss nothing; small, so its times mean little."""
    small = ["--viewers", "6", "--seconds", "2", "--tasks", "40", "--rounds", "1", "--reconnects", "12"]
    call_command("bench_live", "--only", "paced,deliveries,reconnects,slow,cost", *small, "--json")
    figures = json.loads(capsys.readouterr().out)
    assert list(figures) == ["paced", "deliveries", "reconnects", "slow", "cost"]
    assert all(row.get("gaps", 0) == 0 for rows in figures.values() for row in rows)
    assert figures["slow"][0]["given_up"] == figures["slow"][0]["sleepers"]
    assert figures["slow"][0]["most_mb_more"] < 100
    assert figures["deliveries"][0]["deliveries_per_s"] > figures["deliveries"][1]["deliveries_per_s"]


@pytest.mark.slow
def test_start(capsys):
    call_command("bench_start", "--rounds", "1", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert all(row["s"] > 0 for row in figures["starts"])
    assert figures["loaded"][0]["needless"] == "none"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # on PostgreSQL its database is made on the server of the settings
def test_pages(capsys):
    call_command("bench_pages", "--tasks", "60", "--rounds", "1", "--no-browser", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert all(0 < row["queries"] <= 20 for row in figures["answers"])
    assert all(row["p95_ms"] > 0 and row["cpu_ms"] > 0 for row in figures["answers"])
    assert all(row["rows"] >= 60 and row["share"] > 0 for row in figures["reads"])
