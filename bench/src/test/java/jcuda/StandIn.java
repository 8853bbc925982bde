package jcuda;

/** Stands in for the library of that name, so that the rule about it can be seen to fail without it. */
public final class StandIn {
    private StandIn() {}
}
