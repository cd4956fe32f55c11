"""PostgreSQL 15 with two synchronous standbys (quorum ANY 1) on loopback, to measure beside Borealis.

Settings follow a durable default: fsync, full_page_writes and synchronous_commit on, wal_sync_method fdatasync. The
servers run as user `postgres` when started by root, listen on 127.0.0.1 only, and live in one folder.
"""
import os
import pathlib
import pwd
import shutil
import subprocess
import time

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{directory}'
max_connections = 300
shared_buffers = 256MB
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
wal_sync_method = fdatasync
max_wal_size = 2GB
max_wal_senders = 10
wal_keep_size = 1GB
hot_standby = on
wal_retrieve_retry_interval = 100ms
ssl = off
logging_collector = off
"""
HBA = "local all all trust\nhost all all 127.0.0.0/8 trust\nhost replication all 127.0.0.0/8 trust\n"


def demote():
    """Servers refuse to run as root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def run(*command):
    subprocess.run([str(c) for c in command], check=True, preexec_fn=demote, cwd="/", stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Replicated:
    name = "PostgreSQL 15 + 2 standbys"

    def __init__(self, directory, port_base):
        self.directory = pathlib.Path(directory)
        self.nodes = {name: port_base + i for i, name in enumerate(("primary", "standby1", "standby2"))}
        self.hosts = [("127.0.0.1", self.nodes["primary"])]
        self.user, self.password, self.database = "postgres", "", "postgres"

    def data(self, node):
        return self.directory / node / "data"

    def sql(self, statement):
        return subprocess.run([BIN / "psql", "-h", "127.0.0.1", "-p", str(self.nodes["primary"]), "-U", "postgres",
                               "-XAtqc", statement], check=True, capture_output=True, text=True).stdout.strip()

    def configure(self, node):
        data = self.data(node)
        (data / "borealis-bench.conf").write_text(
            CONFIG.format(port=self.nodes[node], directory=self.directory / node))
        if node != "primary":
            with open(data / "borealis-bench.conf", "a") as file:
                file.write(f"primary_conninfo = 'host=127.0.0.1 port={self.nodes['primary']} user=postgres "
                           f"application_name={node} sslmode=disable'\n")
            (data / "standby.signal").touch()
        else:
            (data / "pg_hba.conf").write_text(HBA)
            with open(data / "postgresql.conf", "a") as file:
                file.write("include 'borealis-bench.conf'\n")
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:", str(self.directory / node)], check=True)

    def start(self):
        for node in self.nodes:
            (self.directory / node).mkdir(parents=True)
            if os.geteuid() == 0:
                subprocess.run(["chown", "-R", "postgres:", str(self.directory)], check=True)
            if node == "primary":
                run(BIN / "initdb", "-D", self.data(node), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
            else:
                run(BIN / "pg_basebackup", "-D", self.data(node), "-h", "127.0.0.1", "-p", self.nodes["primary"],
                    "-U", "postgres", "-X", "stream", "-c", "fast")
            self.configure(node)
            run(BIN / "pg_ctl", "-D", self.data(node), "-l", self.directory / node / "log", "-w", "-t", "60", "start")
        self.sql("alter system set synchronous_standby_names = 'ANY 1 (standby1, standby2)'")
        self.sql("select pg_reload_conf()")
        deadline = time.monotonic() + 30
        while self.sql("select count(*) from pg_stat_replication where sync_state = 'quorum'") != "2":
            if time.monotonic() > deadline:
                raise RuntimeError("the standbys do not stream")
            time.sleep(0.1)

    def pids(self):
        """All server processes: the postmasters and their children."""
        found = []
        for node in self.nodes:
            pid = int((self.data(node) / "postmaster.pid").read_text().split()[0])
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += [pid, *map(int, children)]
        return found

    def stop(self):
        for node in reversed(self.nodes):
            if (self.data(node) / "postmaster.pid").exists():
                subprocess.run([str(BIN / "pg_ctl"), "-D", str(self.data(node)), "-m", "immediate", "stop"],
                               preexec_fn=demote, cwd="/", stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
