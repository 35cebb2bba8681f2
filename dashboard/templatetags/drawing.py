"""Boxes and arrows of a graph as SVG. Template loops would take most of the time of a page of a thousand boxes."""

from __future__ import annotations

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString

from dashboard.contexts.graph import HEIGHT, WIDTH, Arrow, Batch, Box, GraphView

register = template.Library()


@register.simple_tag
def graph_edges(graph: GraphView) -> SafeString:
    """The arrows, one by one or in batches."""
    return SafeString("".join([*map(_arrow, graph.arrows), *map(_batch, graph.batches)]))  # nosec B703 B308


@register.simple_tag
def graph_boxes(graph: GraphView) -> SafeString:
    """The boxes: links with a shape, a name and a word."""
    return SafeString("\n".join(_box(box, named=graph.calm) for box in graph.boxes))  # nosec B703 B308


# Here every text is escaped by name; numbers, keys and what `_path` writes have nothing to escape, and asking each of
# them would take longer than all the rest.


def _arrow(arrow: Arrow) -> str:
    return (
        f'<path class="edge {arrow.kind}" data-a="{arrow.source}" data-b="{arrow.target}" data-out="{arrow.outcome}"'
        f' d="{arrow.path}"><title>{escape(arrow.title)}</title></path>'
    )


def _batch(batch: Batch) -> str:
    return f'<path class="edge {batch.kind}" data-ends="{batch.ends}" data-out="{batch.outcome}" d="{batch.path}"/>'


def _box(box: Box, *, named: bool) -> str:
    """*named*: its texts may not be laid out, so the link needs a name of its own."""
    x, y = box.x, box.y
    label = f' aria-label="{escape(box.title)}"' if named else ""
    kinds = f"box{' many' if box.many else ''}{' here' if box.here else ''}"
    block = f' data-block="{box.block}"' if box.block else ""
    state = f' data-state="{box.state.key}"' if box.state else ""
    pile = _rect("pile", x + 5, y + 5, WIDTH, HEIGHT) if box.many else ""
    done = f'<rect class="done" x="{x + 7}" y="{y + HEIGHT - 4}" width="{box.bar}" height="3"/>' if box.bar else ""
    return (
        f'<a id="g-{box.key}" class="{kinds}" href="{escape(box.url)}" data-x="{x}" data-y="{y}"'
        f' data-name="{escape(box.hint)}"{block}{state}{label}><title>{escape(box.title)}</title>{pile}'
        f"{_rect('plate', x, y, WIDTH, HEIGHT)}{done}{_texts(box, x, y)}</a>"
    )


def _rect(name: str, x: int, y: int, width: int, height: int) -> str:
    """Places are written out: a transform of each box would cost the browser a layer of its own."""
    return f'<rect class="{name}" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>'


def _texts(box: Box, x: int, y: int) -> str:
    name, word = escape(box.name), escape(box.word)
    if box.state is None:
        return (
            f'<text class="bname" x="{x + 13}" y="{y + 20}">{name}</text>'
            f'<text class="bsub mono" x="{x + 13}" y="{y + 37}">{word}</text>'
        )
    since = f' data-since="{box.since}"' if box.since else ""
    return (
        f'<use class="shape" href="#g-{box.state.key}" x="{x + 11}" y="{y + 8}" width="16" height="16"/>'
        f'<text class="bname" x="{x + 34}" y="{y + 20}">{name}</text><text class="bsub" x="{x + 34}" y="{y + 37}">'
        f'<tspan class="say">{word}</tspan> <tspan class="took"{since}>{escape(box.text)}</tspan></text>'
    )
