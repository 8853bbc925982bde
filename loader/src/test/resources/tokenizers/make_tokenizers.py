"""Makes the small tokenizer.json files of this folder (tokenizers 0.23.2).

Run in the repository root: python loader/src/test/resources/tokenizers/make_tokenizers.py
"""
import base64
import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = "loader/src/test/resources/tokenizers/"
LINES = [line for line in open("README.md", encoding="utf-8").read().split("\n") if line.strip()]
LINES += ["Grüße aus Köln, naïve façade", "Привет мир как дела", "日本語のテキスト 東京", "can't won't I'm we've"] * 4


def charsmap():
    """The map of characters in the SentencePiece model beside this file (fields 3 and 2 of the messages)."""

    def fields(data):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        while at < len(data):
            key = varint()
            size = {1: 8, 5: 4}.get(key & 7)
            if key & 7 == 0:
                varint()
                continue
            size = varint() if size is None else size
            yield key >> 3, data[at : at + size]
            at += size

    model = open(OUT + "spm_unigram_rules/tokenizer.model", "rb").read()
    spec = next(value for number, value in fields(model) if number == 3)
    return next(value for number, value in fields(spec) if number == 2)


def save(name, tokenizer, trainer, change=None):
    tokenizer.train_from_iterator(LINES, trainer)
    text = json.loads(tokenizer.to_str())
    if change:
        change(text)
    with open(OUT + name + ".json", "w", encoding="utf-8") as out:
        json.dump(text, out, ensure_ascii=False, separators=(",", ":"))
        out.write("\n")
    Tokenizer.from_file(OUT + name + ".json")


def bert():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    special = ["[UNK]", "[CLS]", "[SEP]"]
    save("wordpiece", t, trainers.WordPieceTrainer(vocab_size=330, special_tokens=special, show_progress=False), lambda d: d.update(
        post_processor={"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}))


def words():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip(True, False)])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(False)])
    save("wordlevel", t, trainers.WordLevelTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False))


def suffixed():
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True)])
    t.decoder = decoders.BPEDecoder(suffix="</w>")
    save("bpe_suffix", t, trainers.BpeTrainer(vocab_size=330, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False))


def prefixed():
    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous")])
    t.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    save("bpe_prefix", t, trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<unk>"], continuing_subword_prefix="##", show_progress=False))


def roberta():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split("-", "merged_with_previous"), pre_tokenizers.ByteLevel(add_prefix_space=True)])
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>", AddedToken("<mask>", lstrip=True)]
    save("roberta", t, trainers.BpeTrainer(vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False))


def dropping():
    """No token for what is unknown: it is left out. The decoder is that of speech models."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.CharDelimiterSplit("-")])
    t.decoder = decoders.CTC(pad_token="<pad>", word_delimiter_token="|")
    special = ["<pad>", "|", "\u00E9"]
    save("bpe_dropping", t, trainers.BpeTrainer(
        vocab_size=330, limit_alphabet=60, special_tokens=special, show_progress=False))


def unigram(name, normalizer, pre, decoder, special, **model):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = decoder
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False)
    save(name, t, trainer, lambda d: d["model"].update(model))


def unigrams():
    unigram(
        "unigram_precompiled",
        normalizers.Sequence([normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
        decoders.Metaspace(),
        ["<s>", "<unk>"])
    unigram(
        "unigram_bytes",
        normalizers.Sequence([normalizers.NFKD(), normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        None,
        decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        ["<unk>"] + [f"<0x{b:02X}>" for b in range(256)],
        byte_fallback=True)


bert()
words()
suffixed()
prefixed()
roberta()
dropping()
unigrams()
