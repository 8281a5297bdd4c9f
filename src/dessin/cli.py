"""The command line: one verb a public function, nothing decided here. Rooms are imported when a verb runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dessin.errors import DessinError

app = typer.Typer(
    name="dessin",
    help="From a folder of drawings to a classifier you can trust, and can say why.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[Path, typer.Argument(help="Class folders, a CSV, or a contest folder.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Where the result goes.", show_default=False)]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="REGEX|COLUMN", help="What belongs together (drawings of one photo)."),
]
Curation = Annotated[Path | None, typer.Option("--curation", help="A curation file to honour.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]
SplitFile = Annotated[Path, typer.Option("--split", help="The split file.", show_default=False)]
Executor = Annotated[str, typer.Option(metavar="local|ray", help="This machine, or a Ray cluster.")]
Address = Annotated[
    str | None, typer.Option(metavar="auto|HOST:PORT", help="A running cluster (default: one started here).")
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TRACKER", help='tensorboard, wandb, "wandb(online)", mlflow, \'mlflow("http://..")\'.'
    ),
]
Model = Annotated[
    Path,
    typer.Argument(metavar="RUN|BUNDLE|COMMITTEE", help="A run, bundle or committee.", show_default=False),
]
Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN..", help="Runs, or groups of folds.", show_default=False)
]
DataOfRun = Annotated[Path | None, typer.Option("--data", help="The collection (default: the run's).")]
SplitOfRun = Annotated[Path | None, typer.Option("--split", help="The split file (default: the run's).")]
Views = Annotated[
    str | None,
    typer.Option(metavar="A,B,..", help="Further looks at an image, such as hflip,rotate_left,smaller."),
]
Matters = Annotated[float, typer.Option(help="The smallest difference of accuracy (0..1) that would matter.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe.")
]


@app.command()
def auto(
    data: Data,
    out: Out,
    budget: Annotated[str, typer.Option(help="Time for everything, such as 90s, 15m or 2h.")] = "15m",
    group: Group = None,
    models: Annotated[str | None, typer.Option(metavar="A,B,..", help="Backbones to choose from.")] = None,
    seed: Seed = 0,
) -> None:
    """The whole path on your own folder: audit, curation, split, scout, train, evaluate, report."""
    from dessin.auto.verb import auto as run

    run(data, out=out, budget=budget, group=group, models=_names(models), seed=seed)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Where the doodles and results go.")] = Path("demo-out"),
) -> None:
    """The same on generated doodles with planted faults, offline; checks that every fault was found."""
    from dessin.doodles.verb import demo as run

    run(out=out)


@app.command()
def audit(
    data: Data,
    out: Out,
    group: Group = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            "--predictions", metavar="RUN", help="Runs whose answers show labels that may be wrong."
        ),
    ] = None,
    executor: Executor = "local",
    address: Address = None,
) -> None:
    """Look at every image: report.html, issues.csv, summary.json, manifest.csv."""
    from dessin.audit.verb import audit as run

    run(data, out=out, group=group, predictions=predictions or (), executor=executor, address=address)


@app.command()
def curate(
    data: Data,
    issues: Annotated[Path, typer.Option(help="The issues.csv of an audit.", show_default=False)],
    out: Out,
    kinds: Annotated[str | None, typer.Option(metavar="A,B,..", help="Issue kinds to act on.")] = None,
) -> None:
    """Turn issues into a reversible keep/drop/relabel file; images are never touched."""
    from dessin.collection.curation import curate as run

    run(data, issues=issues, out=out, kinds=_names(kinds))


@app.command()
def split(
    data: Data,
    out: Out,
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    holdout: Annotated[float, typer.Option(help="Share of images locked away until the end.")] = 0.2,
    seed: Seed = 0,
    group: Group = None,
    curation: Curation = None,
) -> None:
    """Deal images into folds and a locked holdout; duplicates and groups stay on one side."""
    from dessin.collection.split.verb import split as run

    run(data, out=out, folds=folds, holdout=holdout, seed=seed, group=group, curation=curation)


@app.command()
def scout(
    data: Data,
    split: SplitFile,
    models: Annotated[str, typer.Option(metavar="A,B,..", help="Backbones to rank.", show_default=False)],
    out: Out,
    size: Annotated[int | None, typer.Option(help="Side in pixels (default: the backbone's own).")] = None,
    executor: Executor = "local",
    address: Address = None,
) -> None:
    """Rank backbones by a probe on cached features, with intervals and cost."""
    from dessin.runs.scout import scout as run

    run(
        data,
        split=split,
        models=_names(models) or (),
        out=out,
        size=size,
        executor=executor,
        address=address,
    )


@app.command()
def train(
    recipe: Annotated[Path | None, typer.Argument(help="The recipe (not needed with --resume).")] = None,
    data: Annotated[Path | None, typer.Option(help="The collection (default: the recipe's).")] = None,
    split: Annotated[Path | None, typer.Option(help="The split file (default: the recipe's).")] = None,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The run folder (default: runs/<recipe>-<n>).")] = None,
    resume: Annotated[Path | None, typer.Option(help="A run, or group of folds, to go on with.")] = None,
    folds: Annotated[
        str | None, typer.Option(metavar="all|0,1,..", help="Train each of these folds; they vote as one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Threads that read ahead; changes no result.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the computation (default: torch's own number).")
    ] = None,
    track: Track = None,
) -> None:
    """Carry out one recipe on one split; ends with the same bytes even if killed and resumed."""
    from dessin.runs.train import train as run

    run(
        recipe,
        data=data,
        split=split,
        overrides=set_ or (),
        out=out,
        resume=resume,
        folds=folds,
        workers=workers,
        threads=threads,
        track=track or (),
    )


@app.command()
def study(
    file: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.", show_default=False)],
    data: Annotated[Path, typer.Option(help="The collection.", show_default=False)],
    split: SplitFile,
    out: Annotated[Path | None, typer.Option(help="The study's folder (default: studies/<file>).")] = None,
    set_: Overrides = None,
    executor: Executor = "local",
    address: Address = None,
    track: Track = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say the plan and stop there.")] = False,
) -> None:
    """Runs that differ in one factor, and what follows; started again, it goes on where it stopped."""
    from dessin.studies.verb import study as run

    run(
        file,
        data=data,
        split=split,
        out=out,
        overrides=set_ or (),
        executor=executor,
        address=address,
        track=track or (),
        dry_run=dry_run,
    )


@app.command()
def augment(
    recipe: Annotated[Path, typer.Argument(help="The recipe.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The picture to write (.png).", show_default=False)],
    data: Annotated[Path | None, typer.Option(help="The collection (default: the recipe's).")] = None,
    split: Annotated[
        Path | None, typer.Option(help="Show only training drawings of this split (default: the recipe's).")
    ] = None,
    set_: Overrides = None,
    epoch: Annotated[int, typer.Option(min=1, help="The first of the three epochs shown.")] = 1,
) -> None:
    """A contact sheet of what augmentation does, and what share of pixels each op changes."""
    from dessin.runs.augment import augment as run

    run(recipe, out=out, data=data, split=split, overrides=set_ or (), epoch=epoch)


@app.command()
def evaluate(
    run: Model,
    out: Out,
    data: DataOfRun = None,
    split: SplitOfRun = None,
    holdout: Annotated[
        bool, typer.Option("--holdout", help="Open the locked holdout; this is counted.")
    ] = False,
    views: Views = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also on drawings that are worn, moved, faded, blurred ..")
    ] = False,
) -> None:
    """Accuracy, top-5, macro-F1 and loss with intervals; a table of classes; what is confused with what."""
    from dessin.trust.evaluate.verb import evaluate as evaluate_run

    evaluate_run(
        run,
        out=out,
        data=data,
        split=split,
        holdout=holdout,
        views=_names(views) or (),
        robustness=robustness,
    )


@app.command()
def explain(
    run: Model,
    out: Out,
    images: Annotated[
        list[Path] | None,
        typer.Option("--images", metavar="PATH", help="Files or folders (default: validation drawings)."),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(metavar="A,B,..", help="gradcam, hirescam, occlusion (default: gradcam).")
    ] = None,
    data: DataOfRun = None,
    split: SplitOfRun = None,
) -> None:
    """Where a model looks: a map over each drawing, and how faithful these maps are."""
    from dessin.trust.explain.verb import explain as explain_run

    explain_run(run, out=out, images=images or (), methods=_names(methods), data=data, split=split)


@app.command()
def mistakes(
    run: Model,
    out: Out,
    data: DataOfRun = None,
    split: SplitOfRun = None,
) -> None:
    """The atlas of mistakes: classes, confused pairs with drawings and maps, and what goes with failure."""
    from dessin.trust.mistakes.verb import mistakes as write_atlas

    write_atlas(run, out=out, data=data, split=split)


@app.command()
def calibrate(
    run: Model,
    out: Out,
    precision: Annotated[
        float, typer.Option(help="How often an answer must be right (0..1); else the model is unsure.")
    ] = 0.9,
    unknown: Annotated[
        Path | None, typer.Option(help="A folder of drawings of no class, to measure their rejection.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put temperature and thresholds into the model's card.")
    ] = False,
    data: DataOfRun = None,
    split: SplitOfRun = None,
) -> None:
    """How sure a model may be: calibration, when it is unsure, and how it rejects what is of no class."""
    from dessin.trust.confidence.verb import calibrate as calibrate_run

    calibrate_run(run, out=out, precision=precision, unknown=unknown, write=write, data=data, split=split)


@app.command()
def card(
    run: Annotated[Path, typer.Argument(metavar="RUN|COMMITTEE", help="A run or committee.")],
    out: Annotated[Path, typer.Option("--out", help="The page to write (.html).", show_default=False)],
) -> None:
    """The trust card, one page: accuracy, robustness, worst class, calibration, leaks, what is untested."""
    from dessin.trust.card.verb import card as write_card

    write_card(run, out=out)


@app.command()
def runs(
    workspace: Annotated[Path, typer.Argument(help="Any folder; runs are found below it.")] = Path(),
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="KEY=VALUE", help="A condition: = != < <= > >= or ~ (contains)."),
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="[-]KEY", help="With a -, the largest first.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B,..", help="Keys to show.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="A file for programs, with every digit.")] = None,
    limit: Annotated[int | None, typer.Option(help="How many runs at most.")] = None,
) -> None:
    """The runs below a folder as a table: filtered, sorted, with the columns you ask for."""
    from dessin.runs.listing.verb import runs as show

    show(workspace, where=where or (), sort=sort, columns=_names(columns), csv=csv, limit=limit)


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN..", help="Run folders; the first is the base.", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="A new folder for a page and tables.")] = None,
    holdout: Annotated[
        bool, typer.Option("--holdout", help="On the holdout, where it was opened already; never opens it.")
    ] = False,
    matters: Matters = 0.02,
) -> None:
    """Trained models on the same images: paired, with intervals, and what this design could have seen."""
    from dessin.reports.compare.verb import compare as run

    run(runs, out=out, holdout=holdout, matters=matters)


@app.command()
def report(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="STUDY|ENSEMBLE|RUN..", help="Folders; the last run is the final one."),
    ],
    out: Out,
    audit: Annotated[Path | None, typer.Option("--audit", help="The folder of an audit of the data.")] = None,
) -> None:
    """One HTML file that a person wants to read: about a run, or the wrap-up of studies and a final run."""
    from dessin.reports.verb import report as write

    write(*sources, out=out, audit=audit)


@app.command()
def vote(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE..", help="CSVs of labels or probabilities, folders of predictions, runs."
        ),
    ],
    out: Out,
    rule: Annotated[str, typer.Option(metavar="hard|soft", help="Count labels, or average.")] = "hard",
    weights: Annotated[
        str | None, typer.Option(metavar="W,W,..", help="One a file (default: equal).")
    ] = None,
    temperatures: Annotated[
        str | None, typer.Option(metavar="T,T,..|fit", help="One a file, or fitted to their own true labels.")
    ] = None,
    align: Annotated[
        str, typer.Option(metavar="refuse|common", help="Where images differ: an error, or those of all.")
    ] = "refuse",
) -> None:
    """Join the answers of any tools by image id and vote: hard (labels) or soft (probabilities)."""
    from dessin.committees.vote.verb import vote as run

    run(
        files,
        rule=rule,
        out=out,
        weights=_numbers(weights, "--weights"),
        temperatures="fit" if temperatures == "fit" else _numbers(temperatures, "--temperatures"),
        align=align,
    )


@app.command()
def ensemble(
    runs: Runs,
    out: Out,
    select: Annotated[
        str,
        typer.Option(metavar="greedy|accuracy|diversity|weighted|all|best", help="How members are chosen."),
    ] = "greedy",
    rule: Annotated[str, typer.Option(metavar="soft|hard", help="How they vote.")] = "soft",
    scale: Annotated[bool, typer.Option("--scale", help="Fit a temperature to each member first.")] = False,
    views: Views = None,
    data: Annotated[Path | None, typer.Option(help="Where the drawings are now (with --views).")] = None,
    seed: Seed = 0,
    name: Annotated[str, typer.Option(help="The committee's name (default: that of --out).")] = "",
    matters: Matters = 0.02,
) -> None:
    """Choose members among runs, and say what that gains on drawings that the choice did not see."""
    from dessin.committees.ensemble.verb import ensemble as run

    run(
        runs,
        out=out,
        select=select,
        rule=rule,
        scale=scale,
        views=_names(views) or (),
        data=data,
        seed=seed,
        name=name,
        matters=matters,
    )


@app.command()
def soup(
    runs: Runs,
    out: Out,
    kind: Annotated[
        str, typer.Option(metavar="greedy|uniform|wise", help="`wise`: from one run's probe to its end.")
    ] = "greedy",
    data: Annotated[Path | None, typer.Option(help="The collection (default: the runs').")] = None,
    seed: Seed = 0,
    name: Annotated[str, typer.Option(help="The soup's name (default: that of --out).")] = "",
    matters: Matters = 0.02,
) -> None:
    """Average the weights of runs that share a start into one model, or go from probe to fine-tuned."""
    from dessin.committees.soup.verb import soup as run

    run(runs, out=out, kind=kind, data=data, seed=seed, name=name, matters=matters)


@app.command()
def families(
    runs: Runs,
    out: Annotated[Path, typer.Option("--out", help="The families file (.csv).", show_default=False)],
    source: Annotated[
        str,
        typer.Option("--from", metavar="confusions|wordnet|FILE.csv", help="Where families come from."),
    ] = "confusions",
    count: Annotated[
        int | None, typer.Option("--families", min=2, help="How many (default: as many as there seem to be).")
    ] = None,
) -> None:
    """Propose which classes belong together, and say what a router and experts could give at most."""
    from dessin.committees.families.verb import families as run

    run(runs, out=out, source=source, count=count)


@app.command()
def route(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The generalist: a run or a group of folds.")],
    families: Annotated[Path, typer.Option(help="The families file.", show_default=False)],
    out: Out,
    experts: Annotated[
        str, typer.Option(metavar="auto|none|A,B,..", help="Families that get an expert.")
    ] = "auto",
    router: Annotated[
        str | None, typer.Option(metavar="RECIPE|none", help="Its recipe (default: the generalist's).")
    ] = None,
    expert: Annotated[
        Path | None, typer.Option(help="The experts' recipe (default: the generalist's).")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The collection (default: the generalist's).")] = None,
    set_: Overrides = None,
) -> None:
    """Train a router over families and experts inside them, join them, and say whether it pays."""
    from dessin.committees.route.verb import route as carry_out

    carry_out(
        run,
        families=families,
        out=out,
        experts=experts,
        router=router,
        expert=expert,
        data=data,
        overrides=set_ or (),
    )


@app.command()
def distill(
    committee: Annotated[
        Path, typer.Argument(metavar="COMMITTEE", help="A committee, ensemble or group of folds.")
    ],
    student: Annotated[
        str, typer.Option(metavar="MODEL", help="The student's backbone.", show_default=False)
    ],
    out: Out,
    recipe: Annotated[Path | None, typer.Option(help="The student's recipe (default: built in).")] = None,
    set_: Overrides = None,
    folds: Annotated[
        str | None, typer.Option(metavar="all|0,1,..", help="Folds to measure on (default: the first).")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The collection (default: the committee's).")] = None,
    split: Annotated[Path | None, typer.Option(help="The split (default: the committee's).")] = None,
    views: Views = None,
    weight: Annotated[float, typer.Option(help="The share of the committee in the labels (0..1).")] = 0.9,
    temperature: Annotated[
        float, typer.Option(help="Above 1 makes its labels softer, below 1 sharper.")
    ] = 1.0,
    seed: Seed = 0,
    final: Annotated[
        bool, typer.Option("--final/--no-final", help="Also train the student on everything but the holdout.")
    ] = True,
    matters: Matters = 0.02,
) -> None:
    """One small model taught by a committee: the accuracy paid, the speed gained, and itself taught alone."""
    from dessin.committees.distill.verb import VIEWS
    from dessin.committees.distill.verb import distill as run

    run(
        committee,
        student=student,
        out=out,
        recipe=recipe,
        overrides=set_ or (),
        folds=folds,
        data=data,
        split=split,
        views=_names(views) or VIEWS,
        weight=weight,
        temperature=temperature,
        seed=seed,
        final=final,
        matters=matters,
    )


@app.command()
def predict(
    model: Model,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH..", help="Files, folders or a test list.")],
    out: Out,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name for each image.")] = 5,
    views: Views = None,
) -> None:
    """Name the class of files, folders or a contest's test list, with probabilities."""
    from dessin.serving.predict import predict as run

    run(model, paths, out=out, top=top, views=_names(views) or ())


@app.command()
def submit(
    model: Model,
    contest: Annotated[
        Path, typer.Argument(metavar="CONTEST", help="The contest folder.", show_default=False)
    ],
    out: Out,
    views: Views = None,
) -> None:
    """Write a contest's submission, checked before it is written."""
    from dessin.serving.submit import submit as run

    run(model, contest, out=out, views=_names(views) or ())


@app.command()
def export(
    model: Model,
    out: Out,
    int8: Annotated[
        bool, typer.Option("--int8", help="In 8-bit integers, calibrated on training drawings.")
    ] = False,
    data: DataOfRun = None,
    split: SplitOfRun = None,
) -> None:
    """A model as ONNX, checked against torch on real drawings before it is written."""
    from dessin.serving.export.verb import export as run

    run(model, out=out, int8=int8, data=data, split=split)


@app.command()
def serve(
    model: Model,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help="Its first line is what clients must send as a bearer token.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A further Host name to answer to.")
    ] = None,
    cors: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="A web page's origin that may ask.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the computation (default: this machine's cores).")
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="How many images may wait; more are told to retry.")] = 64,
) -> None:
    """An HTTP API for a model: POST an image, get its class."""
    from dessin.serving.api.verb import serve as run

    run(
        model,
        host=host,
        port=port,
        token_file=token_file,
        allow_host=allow_host or (),
        cors=cors or (),
        threads=threads,
        queue=queue,
    )


@app.command()
def studio(
    workspace: Annotated[
        Path, typer.Argument(metavar="WORKSPACE", help="A folder with data, runs and studies.")
    ] = Path(),
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Data, runs, studies and mistakes to look at, and a page to draw on."""
    from dessin.studio.verb import studio as run

    run(workspace, host=host, port=port, browser=browser)


@app.command()
def fetch(
    collection: Annotated[
        str, typer.Argument(metavar="quickdraw|imagenet-sketch", help="The collection.", show_default=False)
    ],
    out: Out,
    classes: Annotated[str | None, typer.Option(metavar="A,B,..", help="Its classes (default: all).")] = None,
    per_class: Annotated[int, typer.Option(min=1, help="Drawings a class.")] = 30,
    seed: Seed = 0,
) -> None:
    """Fetch a public collection of drawings, with its licence; goes on where it stopped."""
    from dessin.fetch.verb import fetch as run

    run(collection, out=out, classes=_names(classes) or (), per_class=per_class, seed=seed)


@app.command()
def doctor() -> None:
    """What this machine has: device, precision, versions, weights."""
    from dessin.auto.doctor import doctor as run

    run()


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text is not None else None


def _numbers(text: str | None, option: str) -> list[float] | None:
    try:
        return None if text is None else [float(number) for number in text.split(",")]
    except ValueError:
        raise DessinError(f'{option} is "{text}".', allowed="Numbers with commas, such as 1,1,0.5.") from None


def main() -> None:
    """Run the command line: exit 0, 1 with one paragraph on stderr, or 2 for wrong usage."""
    try:
        app()
    except DessinError as error:
        print(f"dessin: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("dessin: stopped. Nothing half-written was left under a final name.", file=sys.stderr)
        sys.exit(130)
