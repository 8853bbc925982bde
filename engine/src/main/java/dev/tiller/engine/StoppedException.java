package dev.tiller.engine;

import dev.tiller.loader.TillerException;

/**
 * A run was ended by an interrupt of the thread that it ran on. Nothing of it goes on, its sequences are closed, and the
 * model can be used again; the thread is still interrupted.
 */
public final class StoppedException extends TillerException {
    private static final long serialVersionUID = 1L;

    StoppedException() {
        super("stopped: the thread that ran the model was interrupted");
    }
}
