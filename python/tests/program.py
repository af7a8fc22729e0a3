"""A small program of a user's, for mypy --strict: what the package says of its types serves a caller. It is not run."""
import pathlib

import attn
import numpy as np
from numpy.typing import NDArray


def heads(query: NDArray[np.float32]) -> NDArray[np.float32]:
    result = attn.attention(query, query, query, causal=True, return_lse=True, return_weights=True)
    assert result.lse is not None and result.weights is not None
    gradients = attn.attention_backward(query, query, query, result.output, result.lse, np.ones_like(result.output))
    assert gradients.query is not None
    output: NDArray[np.float32] = attn.attention(query, query, query)
    return output + gradients.query


def translate(path: pathlib.Path, texts: list[str]) -> list[str]:
    with attn.Translator(path) as model:
        one: str = model.translate(texts[0], beam=1)
        found = model.translations(texts[0], n_best=2, attention=True)
        tokens: list[str] = found.sentences[0].hypotheses[0].tokens
        explanation = model.explain(texts[0])
        weights: NDArray[np.float32] = explanation.cross.weights
        changed: attn.Intervention = attn.intervene(model, texts[0], part="cross", mask="1.*")
        picture: attn.Picture = attn.show(weights[-1, 0], queries=explanation.cross.queries, keys=explanation.cross.keys)
        picture.save("cross.svg")
        print(one, tokens, changed.after.log_probability, model.pairs)
        return model.translate(texts)


def train(words: pathlib.Path, numbers: pathlib.Path) -> float:
    losses: list[float] = []

    def on_event(event: dict[str, object]) -> None:
        loss = event.get("loss")
        if isinstance(loss, float):
            losses.append(loss)

    try:
        made = attn.train("translator", source=words, target=numbers, recipe="dates", settings={"max_steps": 100},
                          out="dates", callback=on_event)
    except attn.ToolError as error:
        raise SystemExit(error.status)
    except attn.Error as error:
        raise SystemExit(error.hint)
    return min(losses, default=float(made.events("validation")[-1]["loss"]))


def look(encoder: str, segmenter: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    vectors: NDArray[np.float32] = attn.Encoder(encoder).embed(["a", "b"])
    print(vectors.shape, attn.Classifier(encoder).classify(pixels).argmax())
    model = attn.Segmenter(segmenter)
    return model.colors[model.segment(pixels)]
