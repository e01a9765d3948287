"""Maps of where the heads of each layer look, for a page without scripts: buttons of CSS choose among pictures."""

import base64
import io
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import image

COLOUR = (8, 81, 156)
LONGEST_TOKEN = 14  # characters
LEVELS = 64  # of a colour: fewer make smaller pictures


def attention_maps(tokens: Sequence[str], attention: Sequence[np.ndarray], shown: Callable) -> tuple[str, str]:
    """Draws a map for each head of each layer, and for the mean of a layer's heads.

    Args:
        tokens: sequence of `T` str.
        attention: sequence of float arrays `(N heads, T, T)`, one a layer.
        shown: function that escapes a text.

    Returns:
        Two str: the rules of CSS that choose a map, and HTML.
    """
    heads = len(attention[0])
    maps = {
        (layer, head): scores.mean(axis=0) if head == 0 else scores[head - 1]
        for layer, scores in enumerate(attention, start=1)
        for head in range(heads + 1)
    }
    rules = "".join(
        f"#layer-{layer}:checked ~ #head-{head}:checked ~ .maps .m-{layer}-{head} {{ display: block; }}\n"
        for layer, head in maps
    )
    layers = [(f"layer-{layer}", layer, layer == len(attention)) for layer in range(1, len(attention) + 1)]
    of_head = [(f"head-{head}", head or "mean", head == 0) for head in range(heads + 1)]
    names = {place: f"Layer {place[0]}, {f'head {place[1]}' if place[1] else 'mean of the heads'}" for place in maps}
    captions = "".join(
        f'<p class="map m-{place[0]}-{place[1]} soft">{name}: the strongest cell is {maps[place].max():.3f}.</p>\n'
        for place, name in names.items()
    )
    return rules, (
        '<p class="soft">Rows look at columns; a row sums to 1.</p>\n'
        f'<div class="attention">\n{_buttons("Layer", "layer", layers)}<br>\n{_buttons("Head", "head", of_head)}\n'
        f'<div class="maps">\n{captions}{_drawing(tokens, maps, names, shown)}</div>\n</div>'
    )


def _buttons(title, group, choices):
    return f'<span class="name">{title}</span>' + "".join(
        f'<input type="radio" name="{group}" id="{key}"{" checked" * is_first}><label for="{key}">{name}</label>'
        for key, name, is_first in choices
    )


def _drawing(tokens, maps, names, shown):
    cell = 20 if len(tokens) <= 40 else 13 if len(tokens) <= 128 else 11
    size, width = cell * 0.62, cell * len(tokens)
    shorter = [token if len(token) <= LONGEST_TOKEN else f"{token[: LONGEST_TOKEN - 1]}…" for token in tokens]
    # Characters of a monospaced font are 0.6 wide, those of Chinese 1.
    longest = max(sum(0.62 if ord(character) < 0x1100 else 1.05 for character in token) for token in shorter)
    edge = longest * size + 8
    labels = []
    for place, token in enumerate(shorter):
        middle = edge + cell * (place + 0.5)
        across = f'<text x="{edge - 5:.0f}" y="{middle + size / 3:.1f}" text-anchor="end">{shown(token)}</text>'
        down = f'<text transform="translate({middle + size / 3:.1f} {edge - 5:.0f}) rotate(-90)">{shown(token)}</text>'
        labels.append(across + down)
    box = f'x="{edge:.0f}" y="{edge:.0f}" width="{width}" height="{width}"'
    pictures = "".join(
        f'<image class="map m-{layer}-{head}" {box} preserveAspectRatio="none" href="{_picture(scores)}">'
        f"<title>{names[layer, head]}</title></image>\n"
        for (layer, head), scores in maps.items()
    )
    side = edge + width + 2
    return (
        f'<svg width="{side:.0f}" height="{side:.0f}" font-size="{size:.1f}" role="img" '
        f'aria-label="Attention from each token to each">\n{"".join(labels)}\n<rect {box}/>\n{pictures}</svg>\n'
    )


def _picture(scores):
    """Turns weights into a PNG of one colour, the more the less transparent, as an address."""
    levels = np.round(scores / max(scores.max(), 1e-9) * LEVELS) / LEVELS
    pixels = np.empty((*scores.shape, 4), "uint8")
    pixels[:] = (*COLOUR, 0)
    pixels[..., 3] = 255 * levels
    file = io.BytesIO()
    image.imsave(file, pixels, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
