"""``edgevision tune``: which model of a bundle is fastest on this machine."""

from __future__ import annotations

import click

from edgevision.cli.console import results, say
from edgevision.cli.options import given, json_option, provider_option


@click.command("tune", short_help="Measure which model is fastest on this machine.")
@click.argument("bundle", metavar="NAME.edge")
@click.option("--backend", help="tflite, onnx or openvino only.  [default: all that are installed]")
@click.option("--precision", help="int8, float32, ... only.  [default: all that passed the gate]")
@click.option("--artifact", help='One model of the bundle, e.g. "int8.onnx".')
@click.option("--threads", type=click.IntRange(min=1), help="This many only.  [default: 1 to all usable CPUs]")
@provider_option
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Time to measure, after the models were opened.")
@click.option("--again", is_flag=True, help="Measure even if it was measured before.")
@json_option
def command(
    bundle: str,
    backend: str | None,
    precision: str | None,
    artifact: str | None,
    threads: int | None,
    provider: str | None,
    seconds: float | None,
    again: bool,
    as_json: bool,
) -> None:
    """Measure once which model of NAME.edge is fastest here, and remember it for every later load.

    A model takes part when it passed the accuracy gate and gives its golden outputs on this machine. Without options
    this is what the first load would do by itself.
    """
    from edgevision.benchmarks.report import text_table
    from edgevision.runtime.bundle import Bundle
    from edgevision.runtime.choice import Wish
    from edgevision.runtime.tuning.tune import tune

    wish = Wish(backend, precision, artifact, threads, provider)
    with results() as out:
        say("measuring, unless it is known: keep the machine idle for some seconds")
        found = tune(Bundle.open(bundle), wish, again=again, **given(seconds=seconds))
        if as_json:
            out.json({**found.to_dict(), "chosen": found.trials[0].label})
            return
        out.text(text_table(found.rows()))
        out.text(found.words())
