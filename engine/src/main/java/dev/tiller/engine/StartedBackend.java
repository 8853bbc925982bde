package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.cpu.WarmUp;
import dev.tiller.kernels.lab.LabBackends;
import dev.tiller.loader.Timeline;

/** A backend, getting warm. */
record StartedBackend(Backend backend, WarmUp warmUp) {
    static StartedBackend open(LoadOptions options) {
        Backend backend = LabBackends.open(options.backend(), options.threads(), options.kernels());
        Timeline.mark("backend open");
        return new StartedBackend(backend, WarmUp.start(backend));
    }

    /** Closes a backend that is being opened, unless that fails. */
    static void close(Background<StartedBackend> opening) {
        try {
            StartedBackend started = opening.result();
            started.warmUp.stop();
            started.backend.close();
        } catch (RuntimeException | Error e) {
            // not opened: nothing to close
        }
    }
}
