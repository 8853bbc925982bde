package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.List;

/** Text under construction, with the generation blocks in it. */
final class Output {
    private final StringBuilder text = new StringBuilder();
    private final List<Span> spans = new ArrayList<>();

    int length() {
        return text.length();
    }

    void append(Budget budget, String part) {
        budget.text(part.length());
        text.append(part);
    }

    void mark(Span span) {
        spans.add(span);
    }

    List<Span> spans() {
        return spans;
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
