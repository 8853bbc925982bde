package dev.tiller.engine;

/** Receives tokens while they are generated. */
@FunctionalInterface
public interface TokenSink {
    /** Takes everything. */
    TokenSink NONE = (request, id, text, projections) -> true;

    /**
     * @param request index of the request
     * @param id the token
     * @param text what became readable with it, possibly empty (characters are never split); a last call with id -1
     *     brings text that was held back
     * @param projections [probes], of the residual at this very token; null if nothing is watched and in the last call with
     *     id -1
     * @return false to end this request
     */
    boolean token(int request, int id, String text, float[] projections);

    /** Called once for each request when its text is complete, in the order in which they end; others may still run. */
    default void finished(int request, Generation generation) {}
}
