package dev.tiller.bench;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/** Follows the resident memory of another process until it ends; on Linux alone. */
final class ResidentMemory {
    private static final long PAUSE_NANOS = 2_000_000;

    private final Thread watcher;
    private volatile long peak;
    private volatile long anonymous;
    private volatile long mapped;

    private ResidentMemory(Path status) {
        watcher = Thread.ofPlatform().daemon().name("resident-memory").unstarted(() -> watch(status));
    }

    /** Begins to follow a process. */
    static ResidentMemory of(Process process) {
        Path status = Path.of("/proc", String.valueOf(process.pid()), "status");
        if (!Files.isReadable(status)) {
            throw new TillerException("resident memory can be read on Linux only: " + status + " is not there");
        }
        ResidentMemory memory = new ResidentMemory(status);
        memory.watcher.start();
        return memory;
    }

    private void watch(Path status) {
        while (true) {
            try {
                List<String> lines = Files.readAllLines(status);
                long now = kilobytes(lines, "VmHWM");
                if (now == 0) {
                    return; // it has ended
                }
                peak = now << 10;
                anonymous = Math.max(anonymous, kilobytes(lines, "RssAnon") << 10);
                mapped = Math.max(mapped, kilobytes(lines, "RssFile") << 10);
            } catch (IOException e) {
                return; // it has ended
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }

    /** The number after a key of /proc/PID/status; 0 if it is not there. */
    static long kilobytes(List<String> lines, String key) {
        return lines.stream()
                .filter(l -> l.startsWith(key + ":"))
                .map(l -> l.replaceAll("[^0-9]", ""))
                .mapToLong(Long::parseLong)
                .findFirst()
                .orElse(0);
    }

    /** Most bytes ever resident (the kernel's own high-water mark), after the process has ended. */
    long peak() {
        return peak;
    }

    /** Most bytes seen that belong to no file: heap, weights in memory, keys and values. */
    long anonymous() {
        return anonymous;
    }

    /** Most bytes seen of mapped files: the model's file and libraries; the system can take them back at any time. */
    long mapped() {
        return mapped;
    }
}
