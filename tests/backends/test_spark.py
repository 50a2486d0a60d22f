"""Spark gives the figures that DuckDB gives: in one process here, on a cluster elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess

import ibis
import pyarrow.parquet as pq
import pytest
from same_figures import KPIS, check_same, check_segments, duckdb_with, generated, measure, single_rows

pyspark = pytest.importorskip("pyspark", reason="the extra 'spark' is not installed")

# pyspark 4.3 says of pandas 3 that it is new to it; what ibis asks of it is small, and compared below.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]
SETTINGS = {
    "spark.master": "local[1]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "700m",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.log.level": "ERROR",
    # For some hundred rows, compiling Java for each query takes longer than the query.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def _java() -> str:
    """Why there is no Java that Spark runs on, or nothing."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin" if home else None)
    if program is None:
        return "Spark needs Java 17, and there is none"
    told = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60).stderr
    version = told.partition('version "')[2].partition(".")[0]
    return "" if version.isdigit() and int(version) >= 17 else f"Spark needs Java 17, and there is {version or told}"


@pytest.fixture(scope="module")
def duck():
    return duckdb_with(generated())


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    if missing := _java():
        pytest.skip(missing)
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    builder = SparkSession.builder.appName("svclib").config("spark.sql.warehouse.dir", str(folder))
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    for name, table in generated().items():
        path = folder / f"{name}.parquet"
        pq.write_table(table, path)
        session.read.parquet(str(path)).createOrReplaceTempView(name)
    backend = ibis.pyspark.connect(session)
    yield backend
    session.stop()


@pytest.mark.parametrize("code", KPIS)
def test_every_kind_of_kpi_has_the_same_figures(spark, duck, code):
    check_same(measure(spark, code), measure(duck, code))


@pytest.mark.parametrize("code", ["condition", "median"])
def test_the_rows_and_segments_behind_a_kpi_are_the_same(spark, duck, code):
    check_same(single_rows(spark, code), single_rows(duck, code))
    check_segments(spark, duck, code)
