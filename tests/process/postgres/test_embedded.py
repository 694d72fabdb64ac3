"""The embedded cluster, with real processes that come, go and are killed."""

import os
import pwd
import select
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from mcp_memory.errors import EmbeddedPostgresFailed
from mcp_memory.postgres.embedded.binaries import wheel_binaries
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from mcp_memory.postgres.embedded.folder import ClusterFolder
from mcp_memory.postgres.embedded.keeper import LOG_BYTES
from tests.fixtures.cluster_user import ClusterUser, python_for

pytestmark = pytest.mark.slow

IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
WAIT_SECONDS = 30.0


@pytest.fixture(params=["root", "nobody"] if IS_ROOT else ["myself"])
def uid(request: pytest.FixtureRequest) -> int | None:
    """Who the users of the cluster are; None is whoever runs the tests."""
    return pwd.getpwnam("nobody").pw_uid if request.param == "nobody" else None


@pytest.fixture
def place() -> Generator[Path]:
    """A folder that the server's user can reach: pytest's own lie in one of mode 0700."""
    folder = Path(tempfile.mkdtemp(prefix="mcp-memory-test-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(place: Path) -> Generator[Path]:
    folder = place / "data"
    yield folder
    _assert_stopped(folder)


@pytest.fixture(scope="module")
def running_cluster() -> Generator[EmbeddedCluster]:
    """One cluster for the tests that only look."""
    folder = Path(tempfile.mkdtemp(prefix="mcp-memory-test-", dir="/tmp"))
    folder.chmod(0o755)
    with EmbeddedCluster(folder / "data", settings={"work_mem": "7MB"}) as cluster:
        yield cluster
    _assert_stopped(cluster.data_dir)
    shutil.rmtree(folder)


def _assert_stopped(folder: Path) -> None:
    assert EmbeddedCluster(folder).wait_stopped(WAIT_SECONDS)
    assert _processes_of(folder) == []


def _processes_of(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True).stdout
    users = f"tests.fixtures.cluster_user {folder}"
    return [line for line in listing.splitlines() if str(folder) in line and users not in line]


def _postmaster(folder: Path) -> int:
    return int((folder / "pgdata" / "postmaster.pid").read_text().splitlines()[0])


def _keeper(folder: Path) -> int:
    status = Path(f"/proc/{_postmaster(folder)}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send the signal and wait until the process is gone."""
    descriptor = os.pidfd_open(pid)
    try:
        os.kill(pid, number)
        assert select.select([descriptor], [], [], WAIT_SECONDS)[0]
    finally:
        os.close(descriptor)


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def _run(folder: Path) -> None:
    """One whole use of the cluster, started and stopped."""
    with EmbeddedCluster(folder):
        pass
    _assert_stopped(folder)


def _problem(folder: Path) -> EmbeddedPostgresFailed:
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        EmbeddedCluster(folder).start()
    return caught.value


def test_server_stops_when_its_last_user_leaves(data_dir: Path, uid: int | None) -> None:
    with ClusterUser(data_dir, uid=uid) as one, ClusterUser(data_dir, uid=uid) as other:
        assert one.ask("start") == "done"
        assert one.ask("sql CREATE EXTENSION vector") == "done"
        assert other.ask("start") == "done"
        assert one.ask("leave") == "done"
        assert other.ask("sql SELECT extname::text FROM pg_extension WHERE extname = 'vector'") == (
            "[('vector',)]"
        )
        assert other.ask("leave") == "done"
        _assert_stopped(data_dir)
        assert one.ask("start") == "done"
        assert one.ask("sql SELECT current_user::text") == "[('mcp_memory',)]"


def test_two_starts_at_one_instant_share_one_server(data_dir: Path, uid: int | None) -> None:
    with ClusterUser(data_dir, uid=uid) as one, ClusterUser(data_dir, uid=uid) as other:
        one.send("start")
        other.send("start")
        assert [one.receive(), other.receive()] == ["done", "done"]
        statement = "sql SELECT pg_postmaster_start_time()::text"
        assert one.ask(statement) == other.ask(statement)


def test_server_stops_when_all_its_users_are_killed(data_dir: Path, uid: int | None) -> None:
    with ClusterUser(data_dir, uid=uid) as one, ClusterUser(data_dir, uid=uid) as other:
        assert [one.ask("start"), other.ask("start")] == ["done", "done"]
        one.kill()
        assert other.ask("sql SELECT 1") == "[(1,)]"
        other.kill()
        _assert_stopped(data_dir)


def test_killed_keeper_interrupts_nobody_and_the_next_user_replaces_it(
    data_dir: Path, uid: int | None
) -> None:
    with ClusterUser(data_dir, uid=uid) as one, ClusterUser(data_dir, uid=uid) as other:
        assert one.ask("start") == "done"
        server = _postmaster(data_dir)
        _kill(_keeper(data_dir))
        assert one.ask("sql SELECT 1") == "[(1,)]"
        assert other.ask("start") == "done"
        assert _postmaster(data_dir) == server
        one.kill()
        other.kill()
        _assert_stopped(data_dir)


def test_last_user_leaves_no_server_without_a_keeper(data_dir: Path) -> None:
    with EmbeddedCluster(data_dir):
        _kill(_keeper(data_dir))


def test_killed_server_is_started_again_with_all_that_was_committed(
    data_dir: Path, uid: int | None
) -> None:
    with ClusterUser(data_dir, uid=uid) as user:
        assert user.ask("start") == "done"
        assert user.ask("sql CREATE TABLE kept AS SELECT 42 AS answer") == "done"
        server = _postmaster(data_dir)
        _kill(server)
        assert user.ask("ensure_running") == "done"
        assert user.ask("sql SELECT answer FROM kept") == "[(42,)]"
        assert _postmaster(data_dir) != server


def test_everything_killed_at_once_is_a_start_like_any_other(
    data_dir: Path, uid: int | None
) -> None:
    with ClusterUser(data_dir, uid=uid) as user:
        assert user.ask("start") == "done"
        assert user.ask("sql CREATE TABLE kept AS SELECT 42 AS answer") == "done"
        server, keeper = _postmaster(data_dir), _keeper(data_dir)
        user.kill()
        os.kill(keeper, signal.SIGKILL)
        _kill(server)
    with ClusterUser(data_dir, uid=uid) as user:
        assert user.ask("start") == "done"
        assert user.ask("sql SELECT answer FROM kept") == "[(42,)]"


def test_server_without_any_keeper_or_user_is_adopted(data_dir: Path) -> None:
    with ClusterUser(data_dir) as user:
        assert user.ask("start") == "done"
        server, keeper = _postmaster(data_dir), _keeper(data_dir)
        os.kill(keeper, signal.SIGSTOP)
        user.kill()
        _kill(keeper)
    with EmbeddedCluster(data_dir):
        assert _postmaster(data_dir) == server


def test_keeper_that_is_told_to_end_stops_the_server_in_order(data_dir: Path) -> None:
    with EmbeddedCluster(data_dir) as cluster:
        _kill(_keeper(data_dir), signal.SIGTERM)
        assert "database system is shut down" in cluster.log_file.read_text()
        cluster.ensure_running()
        with psycopg.connect(cluster.url()) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_pid_file_from_before_a_reboot_hinders_no_start(data_dir: Path) -> None:
    cluster = EmbeddedCluster(data_dir)
    with cluster:
        pid_file = (data_dir / "pgdata" / "postmaster.pid").read_text().splitlines()
    _assert_stopped(data_dir)
    server = ClusterFolder(data_dir).server_account()
    stranger = subprocess.Popen(["sleep", "600"], user=server.uid)
    try:
        stale = "\n".join([str(stranger.pid), *pid_file[1:]]) + "\n"
        for path in (data_dir / "pgdata" / "postmaster.pid", _socket_lock(cluster)):
            path.write_text(stale)
            os.chown(path, server.uid, server.gid)
        with cluster, psycopg.connect(cluster.url()) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def _socket_lock(cluster: EmbeddedCluster) -> Path:
    return cluster.socket_dir / ".s.PGSQL.5432.lock"


def test_socket_folder_that_was_tidied_away_is_made_again(data_dir: Path) -> None:
    _run(data_dir)
    shutil.rmtree(EmbeddedCluster(data_dir).socket_dir)
    _run(data_dir)


def test_socket_that_was_tidied_away_under_the_server_comes_back(data_dir: Path) -> None:
    with EmbeddedCluster(data_dir) as cluster:
        shutil.rmtree(cluster.socket_dir)
        cluster.ensure_running()
        with psycopg.connect(cluster.url()) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_log_that_grew_too_long_is_begun_again(data_dir: Path) -> None:
    _run(data_dir)
    log_file = EmbeddedCluster(data_dir).log_file
    os.truncate(log_file, LOG_BYTES)
    _run(data_dir)
    assert log_file.stat().st_size < LOG_BYTES
    assert log_file.with_name("postgres.log.1").stat().st_size >= LOG_BYTES


@pytest.mark.parametrize("name", ["space q'uo\"te Память", "com,ma " + "x" * 200])
def test_any_data_folder_will_do(place: Path, name: str) -> None:
    cluster = EmbeddedCluster(place / name)
    with cluster, psycopg.connect(cluster.url("postgres")) as conn:
        assert conn.execute("SELECT current_database()").fetchone() == ("postgres",)
        assert len(os.fsencode(_socket_lock(cluster).with_suffix(""))) < 104
    _assert_stopped(place / name)
    if not cluster.socket_dir.is_relative_to(place):
        shutil.rmtree(cluster.socket_dir)


def test_socket_folder_of_a_stranger_is_refused(place: Path) -> None:
    cluster = EmbeddedCluster(place / ("x" * 200))
    cluster.socket_dir.mkdir()
    cluster.socket_dir.chmod(0o777)
    try:
        assert str(cluster.socket_dir) in _problem(cluster.data_dir).problem
    finally:
        cluster.socket_dir.rmdir()


def test_server_listens_on_its_private_socket_alone(running_cluster: EmbeddedCluster) -> None:
    cluster = running_cluster
    with psycopg.connect(cluster.url()) as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
        assert conn.execute("SHOW data_checksums").fetchone() == ("on",)
        assert conn.execute("SHOW fsync").fetchone() == ("on",)
        assert cluster.socket_dir.stat().st_mode & 0o777 == 0o700
        assert parse_qs(urlsplit(cluster.url()).query)["host"] == [str(cluster.socket_dir)]


def test_words_are_folded_and_told_from_their_quotation_marks(
    running_cluster: EmbeddedCluster,
) -> None:
    with psycopg.connect(running_cluster.url()) as conn:
        assert conn.execute("SELECT lower('ПРИВЕТ')").fetchone() == ("привет",)
        lexemes = conn.execute("SELECT tsvector_to_array(to_tsvector('simple', '«Мир»…'))")
        assert lexemes.fetchone() == (["мир"],)


def test_settings_are_in_force_in_the_server_that_is_started(
    running_cluster: EmbeddedCluster,
) -> None:
    with psycopg.connect(running_cluster.url()) as conn:
        assert conn.execute("SHOW work_mem").fetchone() == ("7MB",)


@as_root
def test_another_user_of_the_machine_cannot_log_in(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with ClusterUser(place / "data", uid=nobody.pw_uid) as user:
        assert user.ask("start") == "done"
        socket_dir = EmbeddedCluster(place / "data").socket_dir
        for folder in (place / "data", socket_dir):
            folder.chmod(0o755)
        (socket_dir / ".s.PGSQL.5432").chmod(0o777)
        answer = subprocess.run(
            [python_for(12345), "-c", _LOGIN, EmbeddedCluster(place / "data").url()],
            user=12345,
            group=12345,
            extra_groups=[],
            env=os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")},
            capture_output=True,
            text=True,
        )
    assert answer.returncode != 0
    assert "authentication failed" in answer.stderr
    _assert_stopped(place / "data")


_LOGIN = "import psycopg, sys; psycopg.connect(sys.argv[1])"


def test_log_holds_no_text_of_a_failed_statement(running_cluster: EmbeddedCluster) -> None:
    with psycopg.connect(running_cluster.url(), autocommit=True) as conn:
        conn.execute("CREATE TABLE facts (fact text UNIQUE)")
        conn.execute("INSERT INTO facts VALUES ('my secret')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("INSERT INTO facts VALUES ('my secret')")
    log = running_cluster.log_file.read_text()
    assert "duplicate key" in log
    assert "my secret" not in log


def test_use_after_leaving_is_refused(running_cluster: EmbeddedCluster) -> None:
    cluster = EmbeddedCluster(running_cluster.data_dir)
    cluster.start()
    cluster.start()
    cluster.leave()
    cluster.leave()
    with pytest.raises(EmbeddedPostgresFailed):
        cluster.ensure_running()


def test_nobody_who_joins_loses_the_server_to_one_who_leaves(data_dir: Path) -> None:
    with ClusterUser(data_dir) as one, ClusterUser(data_dir) as other:
        leaving, joining = one, other
        assert leaving.ask("start") == "done"
        for _ in range(15):
            leaving.send("leave")
            assert joining.ask("start") == "done"
            assert joining.ask("sql SELECT 1") == "[(1,)]"
            assert leaving.receive() == "done"
            leaving, joining = joining, leaving


@pytest.mark.parametrize("times", [12, pytest.param(50, marks=pytest.mark.cluster)])
def test_many_starts_and_stops_leave_nothing_behind(data_dir: Path, times: int) -> None:
    cluster = EmbeddedCluster(data_dir, settings={"fsync": "off"})
    cluster.start()
    descriptors = len(os.listdir("/dev/fd"))
    for _ in range(times):
        cluster.leave()
        assert cluster.wait_stopped(WAIT_SECONDS)
        cluster.start()
    assert len(os.listdir("/dev/fd")) == descriptors
    cluster.leave()
    _assert_stopped(data_dir)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_creation_that_was_killed_is_begun_again(data_dir: Path) -> None:
    with ClusterUser(data_dir) as user:
        user.send("start")
        _wait_until((data_dir / "pgdata.new" / "PG_VERSION").exists)
        user.kill()
    assert not (data_dir / "pgdata").exists()
    _run(data_dir)


@pytest.mark.parametrize("inside", [".", "pgdata"])
def test_cluster_of_another_version_is_refused_untouched(place: Path, inside: str) -> None:
    foreign = place / "data" / inside
    foreign.mkdir(parents=True)
    (foreign / "PG_VERSION").write_text("16\n")
    assert "PostgreSQL 16" in _problem(place / "data").problem
    assert [path.name for path in foreign.iterdir() if path.name != "locks"] == ["PG_VERSION"]


def test_server_that_cannot_start_says_why(data_dir: Path) -> None:
    _run(data_dir)
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        EmbeddedCluster(data_dir, settings={"shared_buffers": "nonsense"}).start()
    assert "shared_buffers" in caught.value.log_tail


@contextmanager
def _small_disk(place: Path, mebibytes: int) -> Generator[Path]:
    disk = place / "disk"
    disk.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", str(disk)],
        capture_output=True,
    )
    if mounting.returncode != 0:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@as_root
def test_disk_too_small_for_a_new_cluster_is_named(place: Path) -> None:
    with _small_disk(place, 20) as disk:
        problem = _problem(disk / "data")
        assert "No space left on device" in problem.log_tail
        assert not (disk / "data" / "pgdata.new").exists()
        _assert_stopped(disk / "data")


@as_root
def test_disk_that_filled_up_stops_the_start_until_there_is_room(place: Path) -> None:
    with _small_disk(place, 150) as disk:
        _run(disk / "data")
        with (disk / "filling").open("wb") as filling:
            room = os.statvfs(disk)
            os.posix_fallocate(filling.fileno(), 0, room.f_bavail * room.f_frsize)
        assert "make room" in _problem(disk / "data").problem
        _assert_stopped(disk / "data")
        (disk / "filling").unlink()
        _run(disk / "data")


@as_root
def test_folder_that_is_closed_to_the_server_is_named_and_left_closed(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    assert f"chmod o+x {closed}" in _problem(closed / "deep" / "data").problem
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_programs_out_of_the_servers_reach_are_copied_once(place: Path, data_dir: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    package = wheel_binaries().parents[1]
    for part in (package, package.with_name(package.name + ".libs")):
        (closed / part.name).symlink_to(part)
    environment = {"PYTHONPATH": str(closed)}
    with ClusterUser(data_dir, environment=environment) as user:
        assert user.ask("start") == "done"
        assert user.ask("sql CREATE EXTENSION vector") == "done"
        assert str(data_dir / "binaries-") in " ".join(_processes_of(data_dir))
        assert user.ask("leave") == "done"
        _assert_stopped(data_dir)
        (copy,) = data_dir.glob("binaries-*")
        copied_at = copy.stat().st_ctime_ns
        assert user.ask("start") == "done"
        assert copy.stat().st_ctime_ns == copied_at
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_joins_the_cluster_of_another_user(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with ClusterUser(data_dir, uid=nobody.pw_uid) as user:
        assert user.ask("start") == "done"
        with EmbeddedCluster(data_dir) as cluster, psycopg.connect(cluster.url()) as conn:
            assert conn.execute("SELECT current_user").fetchone() == ("mcp_memory",)
        assert user.ask("leave") == "done"
    _assert_stopped(data_dir)
    _run(data_dir)
    assert {path.stat().st_uid for path in data_dir.rglob("*")} == {nobody.pw_uid}
    with ClusterUser(data_dir, uid=nobody.pw_uid) as user:
        assert user.ask("start") == "done"
