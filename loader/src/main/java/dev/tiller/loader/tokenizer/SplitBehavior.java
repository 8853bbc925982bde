package dev.tiller.loader.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** What becomes of the matches when a text is split at a pattern. */
enum SplitBehavior {
    /** Matches are dropped. */
    REMOVED("Removed"),
    /** Each match is a piece of its own. */
    ISOLATED("Isolated"),
    /** A match belongs to the piece before it. */
    MERGED_WITH_PREVIOUS("MergedWithPrevious"),
    /** A match belongs to the piece after it. */
    MERGED_WITH_NEXT("MergedWithNext"),
    /** Adjacent matches form one piece. */
    CONTIGUOUS("Contiguous");

    private final String key;

    SplitBehavior(String key) {
        this.key = key;
    }

    static SplitBehavior read(Section section) {
        String found = section.string("behavior");
        for (SplitBehavior behavior : values()) {
            if (behavior.key.equals(found)) {
                return behavior;
            }
        }
        throw section.error("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
    }

    private record Part(int begin, int end, boolean match) {}

    /**
     * Splits a text.
     *
     * @param matches the delimiters in order
     * @param invert whether what lies between the matches is the delimiter instead
     * @param pieces takes the pieces, none of them empty
     */
    void split(AlignedText text, List<TextPattern.Span> matches, boolean invert, Consumer<AlignedText> pieces) {
        for (Part part : join(parts(text.length(), matches, invert))) {
            if (part.end > part.begin && !(this == REMOVED && part.match)) {
                pieces.accept(text.slice(part.begin, part.end));
            }
        }
    }

    /** The whole text as an alternation of matches and of what lies between. */
    private static List<Part> parts(int length, List<TextPattern.Span> matches, boolean invert) {
        List<Part> parts = new ArrayList<>(2 * matches.size() + 1);
        int done = 0;
        for (TextPattern.Span match : matches) {
            if (done < match.begin()) {
                parts.add(new Part(done, match.begin(), invert));
            }
            parts.add(new Part(match.begin(), match.end(), !invert));
            done = match.end();
        }
        if (done < length) {
            parts.add(new Part(done, length, invert));
        }
        return parts;
    }

    private List<Part> join(List<Part> parts) {
        if (this == REMOVED || this == ISOLATED) {
            return parts;
        }
        List<Part> source = this == MERGED_WITH_NEXT ? parts.reversed() : parts;
        List<Part> out = new ArrayList<>(parts.size());
        boolean previous = false;
        for (Part part : source) {
            boolean joins = this == CONTIGUOUS ? part.match == previous : part.match && !previous;
            previous = part.match;
            if (joins && !out.isEmpty()) {
                Part last = out.removeLast();
                out.add(new Part(Math.min(last.begin, part.begin), Math.max(last.end, part.end), part.match));
            } else {
                out.add(part);
            }
        }
        return this == MERGED_WITH_NEXT ? out.reversed() : out;
    }
}
