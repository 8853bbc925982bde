package dev.tiller.loader.hub;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What a pull would do.
 *
 * @param id the model; its file is the .gguf file that was chosen
 * @param commit 40 hex digits
 * @param files in the order of their names
 * @param path where the model will be: a directory, or a .gguf file
 * @param free bytes that can be written where the cache is; empty if nobody knows
 */
public record PullPlan(HubId id, String commit, List<File> files, Path path, Optional<Long> free) {
    public PullPlan {
        files = List.copyOf(files);
    }

    /**
     * A file of the model.
     *
     * @param size bytes, -1 if the hub does not say
     * @param here bytes of it that are in the cache
     */
    public record File(String name, long size, long here) {
        /** True if nothing of it is to come. */
        public boolean isHere() {
            return here == size;
        }
    }

    /** Bytes of all files whose size is known. */
    public long total() {
        return files.stream().mapToLong(f -> Math.max(0, f.size())).sum();
    }

    /** Bytes to come. */
    public long missing() {
        return files.stream().mapToLong(f -> Math.max(0, f.size() - f.here())).sum();
    }
}
