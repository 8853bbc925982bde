package dev.tiller.loader.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The unigram language model (Kudo 2018): of all ways to write a text as tokens the one with the highest sum of scores,
 * found from left to right (Viterbi). A character that no token of its own covers may be unknown, ten below the lowest
 * score. A place looks no further than the longest token, so the time grows with the length of the text.
 */
final class UnigramModel implements TokenModel {
    private static final double UNKNOWN_PENALTY = 10;

    private final TextTrie trie;
    private final double[] scores;
    private final double unknownScore;
    private final Finish finish;

    /** Whether sums are rounded to 32 bits, as SentencePiece has them; the tokenizers library has 64. */
    private final boolean rounded;

    /** Writes the way that was found. */
    private interface Finish {
        /**
         * @param starts [n] first character of each step
         * @param ids [n] its token, or -1 if unknown
         */
        void write(AlignedText text, int[] starts, int[] ids, TokenList out);
    }

    /** A model of a tokenizer.json. */
    UnigramModel(Vocabulary vocabulary, double[] scores, int unknownId, boolean byteFallback) {
        this.scores = scores;
        this.trie = new TextTrie(8 * scores.length);
        double lowest = Double.POSITIVE_INFINITY;
        for (int id = 0; id < scores.length; id++) {
            lowest = Math.min(lowest, scores[id]);
            if (!vocabulary.token(id).isEmpty()) {
                trie.add(vocabulary.token(id), id);
            }
        }
        this.unknownScore = lowest - UNKNOWN_PENALTY;
        this.rounded = false;
        this.finish = new Fused(vocabulary, unknownId, byteFallback);
    }

    /** A SentencePiece model: only what is text takes part, and user-defined pieces win over all others. */
    UnigramModel(SentencePieces pieces, Vocabulary vocabulary) {
        this.scores = new double[pieces.types().length];
        this.trie = new TextTrie(8 * scores.length);
        float lowest = Float.MAX_VALUE;
        float highest = Float.MIN_NORMAL;
        for (int id = 0; id < scores.length; id++) {
            if (pieces.types()[id] == SentencePieces.NORMAL) {
                lowest = Math.min(lowest, pieces.scores()[id]);
                highest = Math.max(highest, pieces.scores()[id]);
            }
        }
        for (int id = 0; id < scores.length; id++) {
            String piece = pieces.pieces().get(id);
            boolean own = pieces.types()[id] == SentencePieces.USER_DEFINED;
            scores[id] = own ? piece.getBytes(StandardCharsets.UTF_8).length * highest - 0.1 : pieces.scores()[id];
            if (pieces.isText(id) && pieces.types()[id] != SentencePieces.UNUSED && !piece.isEmpty()) {
                trie.add(piece, id);
            }
        }
        this.unknownScore = lowest - (float) UNKNOWN_PENALTY;
        this.rounded = true;
        PieceWriter.Rules writing = new PieceWriter.Rules(pieces, vocabulary);
        this.finish = (text, starts, ids, out) -> {
            PieceWriter writer = new PieceWriter(writing, text, out);
            for (int i = 0; i < ids.length; i++) {
                int end = i + 1 < ids.length ? starts[i + 1] : text.length();
                if (ids[i] < 0) {
                    writer.unknown(starts[i], end);
                } else {
                    writer.piece(ids[i], starts[i], end);
                }
            }
            writer.finish();
        };
    }

    @Override
    public void tokenize(AlignedText text, TokenList out) {
        int length = text.length();
        double[] best = new double[length + 1];
        int[] from = new int[length + 1];
        int[] token = new int[length + 1];
        Arrays.fill(from, -1);
        long steps = 0;
        for (int start = 0; start < length; start++) {
            boolean single = false;
            int node = 0;
            for (int at = start; at < length; at++) {
                steps++;
                node = trie.child(node, text.codePoint(at));
                if (node < 0) {
                    break;
                }
                int id = trie.value(node);
                if (id >= 0) {
                    offer(best, from, token, at + 1, start, id, scores[id]);
                    single |= at == start;
                }
            }
            if (!single) {
                offer(best, from, token, start + 1, start, -1, unknownScore);
            }
        }
        out.countWork(steps);
        writeBack(text, from, token, out);
    }

    private void offer(double[] best, int[] from, int[] token, int end, int start, int id, double score) {
        double sum = best[start] + score;
        if (from[end] < 0 || sum > best[end]) {
            best[end] = rounded ? (float) sum : sum;
            from[end] = start;
            token[end] = id;
        }
    }

    private void writeBack(AlignedText text, int[] from, int[] token, TokenList out) {
        int count = 0;
        for (int at = text.length(); at > 0; at = from[at]) {
            count++;
        }
        int[] starts = new int[count];
        int[] ids = new int[count];
        for (int at = text.length(); at > 0; at = from[at]) {
            starts[--count] = from[at];
            ids[count] = token[at];
        }
        finish.write(text, starts, ids, out);
    }

    /** A run of unknown characters, or a token that is the unknown one, counts as one text. */
    private static final class Fused implements Finish {
        private final Vocabulary vocabulary;
        private final int unknownId;
        private final int[] bytes = new int[256];

        Fused(Vocabulary vocabulary, int unknownId, boolean byteFallback) {
            this.vocabulary = vocabulary;
            this.unknownId = unknownId;
            for (int b = 0; b < 256; b++) {
                bytes[b] = byteFallback ? vocabulary.modelId(String.format("<0x%02X>", b)) : -1;
            }
        }

        @Override
        public void write(AlignedText text, int[] starts, int[] ids, TokenList out) {
            for (int i = 0; i < ids.length; ) {
                int next = i + 1;
                boolean unknown = ids[i] < 0 || ids[i] == unknownId;
                while (unknown && next < ids.length && (ids[next] < 0 || ids[next] == unknownId)) {
                    next++;
                }
                int end = next < ids.length ? starts[next] : text.length();
                if (unknown) {
                    unknown(text, starts[i], end, out);
                } else {
                    out.add(ids[i], vocabulary.token(ids[i]), text.start(starts[i]), text.end(end - 1));
                }
                i = next;
            }
        }

        private void unknown(AlignedText text, int begin, int end, TokenList out) {
            String run = text.text(begin, end);
            int start = text.start(begin);
            int stop = text.end(end - 1);
            int id = vocabulary.modelId(run);
            byte[] utf8 = run.getBytes(StandardCharsets.UTF_8);
            if (id >= 0 || !allKnown(utf8)) {
                if (id < 0 && unknownId < 0) {
                    throw vocabulary.noUnknown(run);
                }
                out.add(id >= 0 ? id : unknownId, run, start, stop);
                return;
            }
            for (byte b : utf8) {
                out.add(bytes[b & 0xFF], vocabulary.token(bytes[b & 0xFF]), start, stop);
            }
        }

        private boolean allKnown(byte[] utf8) {
            for (byte b : utf8) {
                if (bytes[b & 0xFF] < 0) {
                    return false;
                }
            }
            return true;
        }
    }
}
