package dev.tiller.bench;

/**
 * Quotient of two rows, taken round by round.
 *
 * @param name of the row above the line
 * @param to of the row below it
 */
record Ratio(String name, String to, Spread spread) {
    static Ratio of(RateRow above, String name, RateRow below, String to) {
        return new Ratio(name, to, Spread.ofRatios(above.rates(), below.rates()));
    }

    /** Of a row and a number that does not change. */
    static Ratio of(RateRow above, String name, double below, String to) {
        return new Ratio(name, to, above.spread().in(below));
    }
}
