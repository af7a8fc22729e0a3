"""Translator: from text to translation (include/attn/translate.h)."""
from __future__ import annotations

import ctypes
import operator
import os
from ctypes import byref
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Optional, overload

import numpy as np

from ._library import (PROGRESS, ArgumentError, Hypothesis as CHypothesis, SearchOptions, TranslatedSentence,
                       TranslateOptions, call, libattn, pipeline, sized)
from ._model import COMPUTE_F32, COMPUTE_I8, Model, decoded, encoded
from ._show import show

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import TypedDict, Unpack

    from ._explain import Explanation

    class Options(TypedDict, total=False):
        """What `Translator.translate` takes by name."""
        format: str
        beam: int
        length_penalty: float
        max_length: int | None
        length_guard: bool
        repeat_guard: bool
        sample: bool
        temperature: float
        top_k: int
        seed: int
        first_text: int
        translate_all: bool
        attributes: bool
        batch: int
        progress: Callable[[int, str], None] | None

# attn_text_format
FORMATS = {"plain": 0, "html": 1, "raw": 2}
SEARCH = ("beam", "n_best", "length_penalty", "sample", "temperature", "top_k", "seed", "max_length", "length_guard",
          "repeat_guard", "attention")
TRANSLATE = ("batch", "first_text", "translate_all", "attributes")


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One translation of one sentence, as the search found it.

    tokens: T pieces and </s>. token_log_probabilities: [T + 1]. attention: [T + 1, S], where each token comes from, S
    being the source's tokens; None unless asked for. score: log_probability / (T + 1)^length_penalty. cut: it was ended
    by the limit of length.
    """
    text: str
    tokens: list[str]
    score: float
    log_probability: float
    token_log_probabilities: NDArray[np.float32]
    attention: Optional[NDArray[np.float32]]
    cut: bool

    def alignment(self) -> list[int]:
        """For each token the number of the source token that it comes from most."""
        if self.attention is None:
            raise ArgumentError("no attention was kept", "ask for it: translations(text, attention=True)")
        return [int(i) for i in self.attention.argmax(axis=1)]


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence of a text. source: as it stands there. read: what the model read, where other words stand for numbers
    and the like. source_tokens: S pieces, </s> the last. hypotheses: the best first."""
    source: str
    read: str
    source_tokens: list[str]
    hypotheses: list[Hypothesis]


@dataclass(frozen=True, eq=False)
class Translation:
    """All that was found of one text. alternatives: the different translations with their scores, the best, which is
    `text`, first. sentences: what the best is made of; empty where nothing was to be translated."""
    text: str
    score: float
    alternatives: list[tuple[str, float]]
    sentences: list[Sentence]

    def _repr_html_(self) -> str:
        """In a notebook: the text, and where its tokens come from if attention was asked for."""
        drawn = [show(best.attention, queries=best.tokens, keys=sentence.source_tokens)._repr_html_()
                 for sentence in self.sentences for best in sentence.hypotheses[:1] if best.attention is not None]
        return f"<p>{escape(self.text)}</p>" + "".join(drawn)


class Translator(Model):
    """A translator from one .safetensors file, as `attn train` and `attn import` write it.

    source, target: which languages, of a model of several pairs. int8: products of 8-bit integers, faster, with almost
    the same translations. shortlist: a file of `attn shortlist`. glossary: a file of SOURCE<TAB>TARGET lines.
    """

    kind = "translator"

    def __init__(self, path: str | os.PathLike[str], *, source: str | None = None, target: str | None = None,
                 int8: bool = False, shortlist: str | os.PathLike[str] | None = None,
                 glossary: str | os.PathLike[str] | None = None):
        super().__init__(path, source=source, target=target, compute=COMPUTE_I8 if int8 else COMPUTE_F32,
                         shortlist=shortlist, glossary=glossary)

    @property
    def source(self) -> str:
        """The code of the language that it reads, such as "en"; "" when the model does not say."""
        return decoded(pipeline().attn_model_source_language(self._open()))

    @property
    def target(self) -> str:
        """The code of the language that it writes."""
        return decoded(pipeline().attn_model_target_language(self._open()))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All pairs of languages of the model's file."""
        found: list[tuple[str, str]] = []
        source, target = ctypes.c_char_p(), ctypes.c_char_p()
        while pipeline().attn_model_pair(self._open(), len(found), byref(source), byref(target)):
            found.append((decoded(source.value), decoded(target.value)))
        return found

    # A str is an Iterable[str] too; the first that fits counts.
    @overload
    def translate(self, text: str, **options: Unpack[Options]) -> str: ...  # type: ignore[overload-overlap]

    @overload
    def translate(self, text: Iterable[str], **options: Unpack[Options]) -> list[str]: ...

    def translate(self, text: Any, **options: Any) -> Any:
        """Translates one text, or many together, which is faster: a str gives a str, other iterables a list.

        Line breaks, spacing, placeholders, addresses and what is in the target language already come out as they went
        in. A text's translation depends on the text, the model and the options alone, and is that of `attn translate`.

        format: "plain"; "html", tags stay around their words; "raw", given to the model as it is.
        beam: the width of the search; 1 is greedy. length_penalty: A in log-probability / length^A.
        max_length: most tokens of a sentence; None: the model's limit. length_guard: at most 2 x source + 20 tokens.
        repeat_guard: no endless repetition.
        sample: draw each token from p^(1 / temperature), of the top_k likeliest (0: all), with this seed; draws depend
        on the text's number too, which counts from first_text.
        translate_all: also what is in the target language already. attributes: with "html", also attributes that people
        read. batch: sentences that a thread has at once; changes the speed alone.
        progress(i, so_far): called on this thread with text i as far as it is translated.

        Raises ArgumentError, FormatError, NumericError, OutOfMemoryError.
        """
        if isinstance(text, str):
            return self._run([text], dict(options), lambda made: made.text(0, 0))
        return self._run(list(text), dict(options), lambda made: [made.text(i, 0) for i in range(made.count)])

    @overload
    def translations(self, text: str, *,  # type: ignore[overload-overlap]
                     n_best: int = 1, attention: bool = False,
                     **options: Unpack[Options]) -> Translation: ...

    @overload
    def translations(self, text: Iterable[str], *, n_best: int = 1, attention: bool = False,
                     **options: Unpack[Options]) -> list[Translation]: ...

    def translations(self, text: Any, *, n_best: int = 1, attention: bool = False, **options: Any) -> Any:
        """What `translate` gives, with scores, n_best alternatives, and of each sentence its tokens, their
        log-probabilities and, with attention, where each comes from. More alternatives than the beam is wide come from a
        second, wider search, which leaves the best as it is."""
        found = dict(options, n_best=n_best, attention=attention)
        if isinstance(text, str):
            return self._run([text], found, lambda made: made.whole(0))
        return self._run(list(text), found, lambda made: [made.whole(i) for i in range(made.count)])

    def explain(self, text: str, *, target: str | None = None, beam: int = 4, sentence: int = 1,
                raw: bool = False) -> Explanation:
        """`attn.explain` of this model: all weights of all layers and heads."""
        from ._explain import explain  # it needs this module
        return explain(self, text, target=target, beam=beam, sentence=sentence, raw=raw)

    def _run(self, texts: list[str], options: dict[str, Any], read: Callable[[_Made], Any]) -> Any:
        array = (ctypes.c_char_p * len(texts))(*(encoded(text, f"text {i}") for i, text in enumerate(texts)))
        c, keep, failures = _options(options)
        made = _Made(self._open(), len(texts))
        try:
            call(pipeline().attn_translate_texts, self._handle, array, len(texts), byref(c), byref(made.handle))
            if failures:
                raise failures[0]
            return read(made)
        finally:
            pipeline().attn_translation_free(made.handle)
            del keep


def _options(given: dict[str, Any]) -> tuple[TranslateOptions, Any, list[BaseException]]:
    """The options in C, what they point to, and a list that receives what `progress` raises."""
    c = sized(pipeline(), "attn_translate_options_init", TranslateOptions())
    search = sized(libattn, "attn_search_options_init", SearchOptions())
    c.first_text = 1
    form = given.pop("format", "plain")
    if form not in FORMATS:
        raise ArgumentError(f"format is {form!r}", f"it is one of {', '.join(FORMATS)}")
    c.format = FORMATS[form]
    progress = given.pop("progress", None)
    failures: list[BaseException] = []
    for name, value in given.items():
        if name not in SEARCH + TRANSLATE:
            raise TypeError(f"translate has no option {name}")
        if name == "max_length" and value is None:
            continue
        struct = search if name in SEARCH else c
        setattr(struct, name, value if isinstance(value, (bool, float)) else operator.index(value))
    c.search = ctypes.pointer(search)
    keep: list[Any] = [search]
    if progress is not None:
        def run(_context: Any, text: int, so_far: bytes) -> None:
            try:
                if not failures:
                    progress(text, decoded(so_far))
            except BaseException as error:  # it cannot pass through C: raised again after the call
                failures.append(error)
        keep.append(PROGRESS(run))
        c.progress = ctypes.cast(keep[-1], ctypes.c_void_p).value
    return c, keep, failures


class _Made:
    """Translations of `count` texts, in C."""

    def __init__(self, model: ctypes.c_void_p, count: int):
        self.model, self.count, self.handle = model, count, ctypes.c_void_p()
        self.source_tokenizer = pipeline().attn_model_tokenizer(model)
        self.target_tokenizer = pipeline().attn_tokenizer_target(self.source_tokenizer)

    def text(self, i: int, rank: int) -> str:
        out = ctypes.c_void_p()
        call(pipeline().attn_translation_text, self.handle, i, rank, byref(out))
        try:
            return ctypes.string_at(out.value or 0).decode(errors="replace")
        finally:
            pipeline().attn_translate_free(out)

    def whole(self, i: int) -> Translation:
        library = pipeline()
        ranks = library.attn_translation_ranks(self.handle, i)
        found = [(self.text(i, rank), library.attn_translation_score(self.handle, i, rank)) for rank in range(ranks)]
        return Translation(*found[0], found, list(self._sentences(i)))

    def _sentences(self, i: int) -> Iterator[Sentence]:
        c, number = TranslatedSentence(), 0
        while pipeline().attn_translation_sentence(self.handle, i, number, byref(c)):
            yield Sentence(decoded(c.sent), decoded(c.source),
                           self._tokens(self.source_tokenizer, c.source_ids, c.source_length),
                           list(self._hypotheses(i, number, c.best)))
            number += 1

    def _hypotheses(self, i: int, number: int, best: Any) -> Iterator[Hypothesis]:
        pointer, rank = best, 0
        while pointer:
            yield self._hypothesis(pointer[0])
            rank += 1
            pointer = pipeline().attn_translation_hypothesis(self.handle, i, number, rank)

    def _hypothesis(self, c: CHypothesis) -> Hypothesis:
        attention = None
        if c.attention:
            attention = np.ctypeslib.as_array(c.attention, (c.length + 1, c.source_length)).copy()
        return Hypothesis(self._text(c), self._tokens(self.target_tokenizer, c.ids, c.length) + ["</s>"], c.score,
                          c.log_probability,
                          np.ctypeslib.as_array(c.token_log_probability, (c.length + 1,)).copy(), attention, c.cut)

    def _text(self, c: CHypothesis) -> str:
        out = ctypes.c_void_p()
        call(pipeline().attn_tokenizer_decode, self.target_tokenizer, c.ids, c.length, byref(out))
        try:
            return ctypes.string_at(out.value or 0).decode(errors="replace")
        finally:
            pipeline().attn_tokenizer_release(out)

    @staticmethod
    def _tokens(tokenizer: Any, ids: Any, count: int) -> list[str]:
        return [decoded(pipeline().attn_tokenizer_piece(tokenizer, ids[i])) for i in range(count)]
