"""Egress to real databases: all tables replaced, or none."""

import shutil
import unittest

from grpc import StatusCode
from pachyderm_sdk.api import pfs, pps

from harness import Server, name
from peers import MariaDb, Postgres
from pps_case import KILLED, SUCCESS, PpsCase

CSV = pfs.SqlDatabaseEgressFileFormatType.CSV
JSON = pfs.SqlDatabaseEgressFileFormatType.JSON
PARQUET = pfs.SqlDatabaseEgressFileFormatType.PARQUET
EGRESSING = pps.JobState.JOB_EGRESSING


class Rows:
    """The tests that every database has to pass; a subclass names it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.db = cls.database()
        cls.addClassCleanup(cls.db.stop)
        cls.own = Server(args=["--url-tries", "2"])
        cls.addClassCleanup(cls.own.clean)
        cls.addClassCleanup(cls.own.stop)

    def setUp(self):
        super().setUp()
        self.client = self.own.client()
        self.addCleanup(self.client._channel.close)
        self.secret = name("secret")
        self.make_secret(self.secret, self.db.password)

    def make_secret(self, name, word):
        self.client.pps.create_secret(name=name, data={"word": word})

    def table(self, columns, stem="t"):
        made = name(stem).replace("-", "_")
        self.db.sql(f"CREATE TABLE {self.db_name}{made} ({columns})")
        return made

    def rows(self, table):
        return self.db.sql(f"SELECT * FROM {self.db_name}{table} ORDER BY 1")

    def target(self, type=CSV, columns=(), url=None, secret=None, key="word"):
        return pfs.SqlDatabaseEgress(
            url=url or self.db.url,
            file_format=pfs.SqlDatabaseEgressFileFormat(type=type, columns=list(columns)),
            secret=pfs.SqlDatabaseEgressSecret(name=secret or self.secret, key=key))

    def load(self, files, **target):
        commit = self.put(self.repo(), files)
        answer = self.client.pfs.egress(commit=commit, sql_database=self.target(**target))
        return answer.sql_database.rows_written

    def test_rows_replace_those_that_were_there(self):
        t = self.table("id INT PRIMARY KEY, name VARCHAR(50)")
        self.assertEqual(self.load({f"/{t}": b"1,old\n2,old\n"}), {t: 2})
        self.assertEqual(self.load({f"/{t}/a": b"3,new\n", f"/{t}/b": b"4,\n5,new\n"}), {t: 3})
        self.assertEqual(self.rows(t), ["3|new", "4|NULL", "5|new"])

    def test_texts_become_the_columns_types(self):
        t = self.table(self.types)
        row = b'1,-2.50,2024-02-29,2024-02-29 01:02:03,1,"a ""b""\n\\,\tc\'\xc3\xa9"\n'
        self.load({f"/{t}": row})
        got = "\n".join(self.rows(t))
        for part in ("1|-2.50|2024-02-29|2024-02-29 01:02:03|", 'a "b"', "c'\u00e9"):
            self.assertIn(part, got)
        self.assertEqual(self.db.sql(
            f"SELECT COUNT(*) FROM {self.db_name}{t} WHERE txt = {self.literal}"), ["1"])

    def test_a_header_names_the_columns(self):
        t = self.table("id INT, name VARCHAR(50), more INT DEFAULT 7")
        self.load({f"/{t}/1": b"name,id\na,1\n", f"/{t}/2": b"id,name\n2,b\n"},
                  columns=["id", "name"])
        self.assertEqual(self.rows(t), ["1|a|7", "2|b|7"])
        with self.refused(StatusCode.INVALID_ARGUMENT, f"file '/{t}': line 1: the header has no "
                                                       "column 'name'"):
            self.load({f"/{t}": b"id,nome\n2,b\n"}, columns=["id", "name"])
        with self.refused(StatusCode.INVALID_ARGUMENT, f"table '{t}' has no column 'none'"):
            self.load({f"/{t}": b""}, columns=["none"])

    def test_json_objects(self):
        t = self.table("id INT, name VARCHAR(50)")
        objects = b'{"id": 1, "name": "a"}{"name": "\\u00e9\\n", "x": 0, "id": 2}\n{"id": 3}'
        self.assertEqual(self.load({f"/{t}": objects}, type=JSON, columns=["id", "name"]), {t: 3})
        self.assertEqual(self.db.sql(f"SELECT id FROM {self.db_name}{t} WHERE name IS NULL"), ["3"])

    def test_tables_take_turns(self):
        """A file of a table, then another table's, then again the first one's."""
        t = self.table("id INT")
        other = f"{t}-x"
        self.db.sql(f"CREATE TABLE {self.db_name}{self.quote}{other}{self.quote} (id INT)")
        written = self.load({f"/{t}": b"1\n", f"/{other}/a": b"2\n"})
        self.assertEqual(written, {t: 1, other: 1})
        self.assertEqual(self.rows(t), ["1"])

    def test_many_rows(self):
        t = self.table("id INT, name VARCHAR(50)")
        data = b"".join(b"%d,name of %d\n" % (i, i) for i in range(50_000))
        self.assertEqual(self.load({f"/{t}": data}), {t: 50_000})
        self.assertEqual(self.db.sql(f"SELECT COUNT(*), MAX(id) FROM {self.db_name}{t}"),
                         ["50000|49999"])

    def test_all_tables_or_none(self):
        a, b = self.table("id INT", "a"), self.table("id INT", "b")
        self.load({f"/{a}": b"1\n", f"/{b}": b"2\n"})
        with self.refused(StatusCode.INVALID_ARGUMENT, f"file '/{b}'"):
            self.load({f"/{a}": b"3\n", f"/{b}": b"4\nno number\n"})
        with self.refused(StatusCode.INVALID_ARGUMENT, "line 2: the row has 2 fields, not 1"):
            self.load({f"/{a}": b"3\n4,5\n"})
        with self.refused(StatusCode.NOT_FOUND, "table 'none' does not exist"):
            self.load({f"/{a}": b"3\n", "/none": b"4\n"})
        self.assertEqual((self.rows(a), self.rows(b)), (["1"], ["2"]))

    def test_what_is_refused(self):
        t = self.table("id INT")
        files = {f"/{t}": b"1\n"}
        commit = self.put(self.repo(), files)
        with self.refused(StatusCode.UNKNOWN, "egress.sql_database.secret is required"):
            self.client.pfs.egress(commit=commit,
                                   sql_database=pfs.SqlDatabaseEgress(url=self.db.url))
        with self.refused(StatusCode.UNKNOWN, "secret.name and egress.sql_database.secret.key"):
            self.load(files, key="")
        with self.refused(StatusCode.NOT_FOUND, "must set PACHYDERM_SQL_PASSWORD"):
            self.load(files, secret="none")
        with self.refused(StatusCode.UNKNOWN, "unknown file format PARQUET"):
            self.load(files, type=PARQUET)
        with self.refused(StatusCode.UNKNOWN, 'database protocol "snowflake" not supported'):
            self.load(files, url="snowflake://u@h/d")
        with self.refused(StatusCode.UNAVAILABLE, f'error loading "{self.scheme}://127.0.0.1:1/d"'):
            self.load(files, url=f"{self.scheme}://u:hidden@127.0.0.1:1/d")
        with self.refused(StatusCode.INVALID_ARGUMENT, "its parameter 'sslkey' is not allowed"):
            self.load(files, url=self.db.url + "?sslkey=/etc/shadow")
        with self.refused(StatusCode.PERMISSION_DENIED, "may not be reached from this server"):
            self.load(files, url=f"{self.scheme}://u@169.254.169.254/d")
        self.assertNotIn("hidden", self.own.read_log())
        self.assertNotIn(self.db.password, self.own.read_log())

    def test_a_wrong_password(self):
        wrong = name("secret")
        self.make_secret(wrong, "no")
        files = {f"/{self.table('id INT')}": b"1\n"}
        with self.refused(StatusCode.UNKNOWN, self.denied):
            self.load(files, secret=wrong)
        with self.refused(StatusCode.UNKNOWN, self.denied):
            self.load(files, url=self.db.url.replace(self.db.user, "nobody"))
        with self.refused(StatusCode.UNKNOWN, "none_such"):
            self.load(files, url=self.db.url.rpartition("/")[0] + "/none_such")

    def test_a_wrong_password_holds_the_job_until_it_is_right(self):
        t, wrong = self.table("id INT"), name("secret")
        self.make_secret(wrong, "no")
        spec = self.spec()
        spec["sqlDatabase"]["secret"]["name"] = wrong
        pipeline = self.pipeline(self.repo(files={"/1": b"1\n"}), f"cp /pfs/in/1 /pfs/out/{t}",
                                 egress=spec)
        self.until(lambda: self.denied in self.own.read_log())
        self.assertEqual(self.jobs(pipeline)[0].state, EGRESSING)
        self.client.pps.delete_secret(secret=pps.Secret(name=wrong))
        self.make_secret(wrong, self.db.password)
        self.until(lambda: self.jobs(pipeline)[0].state == SUCCESS)
        self.assertEqual(self.rows(t), ["1"])

    def spec(self, columns=()):
        return {"sqlDatabase": {
            "url": self.db.url, "secret": {"name": self.secret, "key": "word"},
            "fileFormat": {"type": "CSV", "columns": list(columns)}}}

    def test_a_pipelines_output(self):
        t = self.table("id INT, name VARCHAR(50)")
        repo = self.repo(files={"/1": b"1,a\n", "/2": b"2,b\n"})
        pipeline = self.pipeline(
            repo, f"mkdir /pfs/out/{t}; for f in /pfs/in/*; do cp $f /pfs/out/{t}/; done",
            egress=self.spec())
        self.until(lambda: self.jobs(pipeline)[0].state == SUCCESS)
        self.assertEqual(self.rows(t), ["1|a", "2|b"])
        self.put(repo, {"/1": b"1,c\n"}, delete=["/2"])
        self.until(lambda: [job.state for job in self.jobs(pipeline)] == [SUCCESS, SUCCESS])
        self.assertEqual(self.rows(t), ["1|c"])

    def test_rows_that_do_not_fit_hold_the_job(self):
        t = self.table("id INT")
        repo = self.repo(files={"/1": b"no number\n"})
        pipeline = self.pipeline(repo, f"cp /pfs/in/1 /pfs/out/{t}", egress=self.spec())
        self.until(lambda: self.jobs(pipeline)[0].state == EGRESSING)
        self.until(lambda: "egress failed" in self.own.read_log())
        self.client.pps.stop_job(job=self.jobs(pipeline)[0].job)
        self.assertEqual(self.job(pipeline).state, KILLED)
        self.assertEqual(self.rows(t), [])


@unittest.skipUnless(Postgres.program("initdb"), "PostgreSQL is not installed")
class PostgresRows(Rows, PpsCase):
    database, scheme, db_name, quote = Postgres, "postgres", "", '"'
    types = "id INT, n NUMERIC(8,2), d DATE, at TIMESTAMP, yes BOOLEAN, txt TEXT"
    literal = "E'a \"b\"\\n\\\\,\\tc''\u00e9'"
    denied = "password authentication failed"

    def test_a_lock_that_is_not_given_ends_with_the_call(self):
        t = self.table("id INT")
        holder = self.db.start_sql(f"BEGIN; LOCK TABLE {t}; SELECT 'held'; SELECT pg_sleep(600)")
        self.addCleanup(holder.communicate)
        self.addCleanup(holder.kill)
        self.assertEqual(holder.stdout.readline().strip(), "held")
        commit = self.put(self.repo(), {f"/{t}": b"1\n"})
        call = self.client._channel.unary_unary(
            "/pfs_v2.API/Egress", request_serializer=bytes, response_deserializer=bytes)
        with self.refused(StatusCode.DEADLINE_EXCEEDED, ""):
            call(pfs.EgressRequest(commit=commit, sql_database=self.target()), timeout=1)

    def test_a_table_of_a_schema(self):
        self.db.sql("CREATE SCHEMA IF NOT EXISTS other; CREATE TABLE IF NOT EXISTS other.t (id INT)")
        self.assertEqual(self.load({"/other.t": b"1\n"}), {"other.t": 1})
        self.assertEqual(self.rows("other.t"), ["1"])

    def test_computed_columns_are_left_alone(self):
        t = self.table("id INT, twice INT GENERATED ALWAYS AS (id * 2) STORED")
        self.load({f"/{t}": b"2\n"})
        self.assertEqual(self.rows(t), ["2|4"])


@unittest.skipUnless(shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin"),
                     "MariaDB is not installed")
class MariaDbRows(Rows, PpsCase):
    database, scheme, db_name, quote = MariaDb, "mysql", "loads.", "`"
    types = "id INT, n NUMERIC(8,2), d DATE, at DATETIME, yes BOOLEAN, txt TEXT"
    literal = "'a \"b\"\\n\\\\,\\tc''\u00e9'"
    denied = "Access denied for user"

    def test_tables_that_cannot_roll_back_are_refused(self):
        t = name("t").replace("-", "_")
        self.db.sql(f"CREATE TABLE loads.{t} (id INT) ENGINE=MyISAM")
        with self.refused(StatusCode.FAILED_PRECONDITION, "an engine without transactions"):
            self.load({f"/{t}": b"1\n"})


if __name__ == "__main__":
    unittest.main()
