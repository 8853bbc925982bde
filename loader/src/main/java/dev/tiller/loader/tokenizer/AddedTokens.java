package dev.tiller.loader.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** Tokens that are found in a text before the model sees it, the longest first; a trie over code points. */
final class AddedTokens {
    /** A stretch of text, and the added token that it is or null. */
    record Piece(AlignedText text, AddedToken token) {}

    /** (node, code point) to node; node 0 is the root. */
    private final LongIntMap edges = new LongIntMap(64);

    private final List<Node> nodes = new ArrayList<>();

    /** Which of the first characters a token begins with. */
    private final boolean[] begins = new boolean[0x80];

    /** A place in the trie: the number of code points that lead there and the token that ends there, or null. */
    private record Node(int depth, AddedToken token) {}

    AddedTokens() {
        nodes.add(new Node(0, null));
    }

    /** Adds a token under the text to look for; of several under the same text the first counts. */
    void add(AddedToken token, String pattern) {
        int node = 0;
        if (!pattern.isEmpty() && pattern.charAt(0) < begins.length) {
            begins[pattern.charAt(0)] = true;
        }
        for (int c : pattern.codePoints().toArray()) {
            int next = edges.get(edge(node, c));
            if (next < 0) {
                next = nodes.size();
                nodes.add(new Node(nodes.get(node).depth + 1, null));
                edges.put(edge(node, c), next);
            }
            node = next;
        }
        if (node != 0 && nodes.get(node).token == null) {
            nodes.set(node, new Node(nodes.get(node).depth, token));
        }
    }

    private int longestMatch(AlignedText text, int from) {
        int first = text.codePoint(from);
        if (first < begins.length && !begins[first]) {
            return -1;
        }
        int best = -1;
        int node = 0;
        for (int at = from; at < text.length(); at++) {
            node = edges.get(edge(node, text.codePoint(at)));
            if (node < 0) {
                break;
            }
            if (nodes.get(node).token != null) {
                best = node;
            }
        }
        return best;
    }

    private static boolean touchesWord(AlignedText text, int begin, int end) {
        return (begin > 0 && CodePoints.isWord(text.codePoint(begin - 1)))
                || (end < text.length() && CodePoints.isWord(text.codePoint(end)));
    }

    private static long edge(int node, int codePoint) {
        return (long) node << 21 | codePoint;
    }

    /** Cuts a text into added tokens and what lies between them, leaving out nothing. */
    void split(AlignedText text, List<Piece> out) {
        int done = 0;
        int last = nodes.size() == 1 ? 0 : text.length();
        for (int at = 0; at < last; ) {
            int node = longestMatch(text, at);
            if (node < 0) {
                at++;
                continue;
            }
            AddedToken token = nodes.get(node).token;
            int begin = at;
            int end = at + nodes.get(node).depth;
            at = end;
            if (token.singleWord() && touchesWord(text, begin, end)) {
                continue;
            }
            while (token.stripLeft() && begin > done && CodePoints.isWhitespace(text.codePoint(begin - 1))) {
                begin--;
            }
            while (token.stripRight() && end < text.length() && CodePoints.isWhitespace(text.codePoint(end))) {
                end++;
            }
            if (done < begin) {
                out.add(new Piece(text.slice(done, begin), null));
            }
            out.add(new Piece(text.slice(begin, end), token));
            done = end;
        }
        if (done < text.length()) {
            out.add(new Piece(text.slice(done, text.length()), null));
        }
    }
}
