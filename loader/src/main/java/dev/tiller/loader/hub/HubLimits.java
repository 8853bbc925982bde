package dev.tiller.loader.hub;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * How long and how often things are tried.
 *
 * @param connect for a connection to stand
 * @param answer for the headers of an answer
 * @param stall for the next bytes of a body
 * @param attempts tries without any gain before giving up
 * @param longestWait most that a server may make us wait
 * @param downloads files at a time
 * @param pause how waiting is done
 * @param clock nanoseconds from any beginning
 * @param parts how files are written
 * @param links how second names of files are made
 */
record HubLimits(
        Duration connect,
        Duration answer,
        Duration stall,
        int attempts,
        Duration longestWait,
        int downloads,
        Pause pause,
        LongSupplier clock,
        PartFile.Opener parts,
        FileLinks links) {

    static final HubLimits NORMAL = new HubLimits(
            Duration.ofSeconds(15),
            Duration.ofSeconds(30),
            Duration.ofSeconds(30),
            6,
            Duration.ofMinutes(5),
            4,
            Thread::sleep,
            System::nanoTime,
            PartFile::open,
            FileLinks.NORMAL);

    /** Waits. */
    @FunctionalInterface
    interface Pause {
        void sleep(Duration time) throws InterruptedException;
    }
}
