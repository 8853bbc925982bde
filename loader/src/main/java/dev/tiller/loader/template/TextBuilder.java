package dev.tiller.loader.template;

/** A string builder that pays for every char, so that no value can grow without bounds while it is formatted. */
final class TextBuilder {
    private final StringBuilder text = new StringBuilder();
    private final Budget budget;

    TextBuilder(Budget budget) {
        this.budget = budget;
    }

    Budget budget() {
        return budget;
    }

    TextBuilder append(String part) {
        budget.text(part.length());
        text.append(part);
        return this;
    }

    TextBuilder append(char part) {
        budget.text(1);
        text.append(part);
        return this;
    }

    int length() {
        return text.length();
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
