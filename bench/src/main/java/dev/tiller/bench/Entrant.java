package dev.tiller.bench;

import java.util.List;
import java.util.Map;

/** An engine that measures its rows when it is its turn, and does nothing in between. */
public interface Entrant extends AutoCloseable {
    /** What it is, with its version. */
    String name();

    /** Measures each of its rows once. */
    List<Sample> round();

    /** Numbers that hold for the whole run; units are in the names. */
    Map<String, Double> facts();

    @Override
    void close();
}
