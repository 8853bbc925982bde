package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One file on its way into the cache: what has come stands in {@code blobs/ETAG.incomplete}, which is always a
 * beginning of the file, and becomes {@code blobs/ETAG} in one step after its checksum was right.
 */
final class BlobDownload {
    /** New bytes that count as getting on; a server that gives a few at a time must not hold us for ever. */
    private static final long GAIN = 64 << 10;

    private static final Duration LOCK_LOOK = Duration.ofMillis(100);
    private static final Pattern RANGE = Pattern.compile("bytes (\\d{1,18})-(\\d{1,18})/(\\d{1,18}|\\*)");

    private final HubHttp http;
    private final HubApi api;
    private final HubCache cache;
    private final HubLimits limits;
    private final HubId id;
    private final RemoteFile file;
    private final String what;
    private final Path part;

    /** Bytes that are here; goes down where they turn out to be wrong. */
    final AtomicLong received = new AtomicLong();

    /** What a person should know; shown by the thread that waits for the download. */
    private final Consumer<String> notes;

    BlobDownload(
            HubHttp http,
            HubApi api,
            HubCache cache,
            HubLimits limits,
            HubId id,
            RemoteFile file,
            Consumer<String> notes) {
        this.http = http;
        this.api = api;
        this.cache = cache;
        this.limits = limits;
        this.id = id;
        this.file = file;
        this.notes = notes;
        this.what = HubHttp.show(file.uri());
        this.part = part(cache, id, file);
    }

    /** Where an unfinished download of a file stands. */
    static Path part(HubCache cache, HubId id, RemoteFile file) {
        return cache.blob(id, file.etag()).resolveSibling(file.etag() + ".incomplete");
    }

    /** Bytes that an earlier call has left of a file. */
    static long left(HubCache cache, HubId id, RemoteFile file) throws IOException {
        Path part = part(cache, id, file);
        if (!Files.isRegularFile(part, LinkOption.NOFOLLOW_LINKS)) {
            return 0;
        }
        long size = Files.size(part);
        return file.size() >= 0 && size <= file.size() ? size : 0;
    }

    /** Counts what an earlier call has left, so that it does not look as if it came when this one's turn comes. */
    void countLeft() {
        try {
            received.set(left(cache, id, file));
        } catch (IOException e) {
            return; // the download will say what is wrong with it
        }
    }

    /** Downloads the file unless it is here; the only one to do so at a time. */
    void run() throws IOException, InterruptedException {
        SnapshotWriter.directories(part.getParent());
        Path lockFile = cache.lock(id, file.etag());
        SnapshotWriter.directories(lockFile.getParent());
        HubLock lock = lock(lockFile);
        try {
            Path blob = cache.blob(id, file.etag());
            if (HubCache.isWhole(blob, file)) {
                received.set(Files.size(blob));
                return;
            }
            fetchRight();
            move(blob);
        } finally {
            lock.close();
        }
    }

    private HubLock lock(Path lockFile) throws InterruptedException {
        for (boolean first = true; ; first = false) {
            HubLock lock;
            try {
                lock = HubLock.tryTake(lockFile);
            } catch (IOException e) {
                throw new TillerException(
                        lockFile + ": expected a file that can be made and locked (" + Messages.reason(e) + ")", e);
            }
            if (lock != null) {
                return lock;
            }
            if (first) {
                notes.accept(file.name() + ": another process is downloading it; waiting");
            }
            Thread.sleep(LOCK_LOOK);
        }
    }

    /** Until the bytes in {@link #part} are those of the checksum. */
    private void fetchRight() throws IOException, InterruptedException {
        for (int wrong = 1; ; wrong++) {
            fetch();
            if (!Checksum.isChecksum(file.etag())) {
                notes.accept(file.name() + ": the hub gives no checksum of it, only its size was compared");
                return;
            }
            String found = Checksum.of(part, file.etag());
            if (found.equals(file.etag())) {
                return;
            }
            discard();
            String message = what + ": expected " + Checksum.kind(file.etag()) + " " + file.etag() + ", found " + found
                    + "; what came was discarded";
            // The wrong bytes may be those of an earlier, broken download.
            if (wrong == 2) {
                throw new TillerException(message);
            }
            notes.accept(message + ", trying once more");
        }
    }

    /** Until there are as many bytes as the file has. */
    private void fetch() throws IOException, InterruptedException {
        Patience patience = new Patience(limits, what, notes);
        long best = left(cache, id, file);
        while (true) {
            long have = left(cache, id, file);
            received.set(have);
            if (have == 0) {
                discard(); // also what is larger than the file, or not a file
            }
            if (have == file.size()) {
                keep();
                return;
            }
            try {
                receive(have);
                return;
            } catch (IOException e) {
                // Drops that add up over many slow connections are no gain, or there would be no end.
                long before = e instanceof Trouble t && t.isSlow() ? have : best;
                if (received.get() - before >= GAIN) {
                    best = received.get();
                    patience.gained();
                }
                patience.failed(e);
            }
        }
    }

    private void receive(long have) throws IOException, InterruptedException {
        try (HubHttp.Answer answer = http.get(file.uri(), have)) {
            long from = start(answer, have);
            answer.checkPlain();
            long announced = answer.number("Content-Length").orElse(-1);
            if (file.size() >= 0 && announced >= 0 && announced != file.size() - from) {
                throw new Trouble("expected " + (file.size() - from) + " bytes, the server announces " + announced);
            }
            if (from == 0) {
                discard(); // never written over: a process that ignores our lock may have it open
            }
            received.set(from);
            long at = write(answer, from);
            if (file.size() >= 0 && at < file.size()) {
                throw new Trouble("expected " + file.size() + " bytes, the answer ended after " + at);
            }
        }
    }

    /** Where in the file the body of the answer begins. */
    private long start(HubHttp.Answer answer, long have) throws IOException, InterruptedException {
        switch (answer.status()) {
            case 200 -> {
                return 0;
            }
            case 206 -> {
                String header = answer.header("Content-Range").orElse("");
                Matcher range = RANGE.matcher(header);
                boolean good = range.matches()
                        && Long.parseLong(range.group(1)) == have
                        && (range.group(3).equals("*") || Long.parseLong(range.group(3)) == file.size());
                if (have > 0 && good) {
                    return have;
                }
                discard();
                throw new Trouble("expected Content-Range from byte " + have + " of " + file.size() + ", found "
                        + Messages.quote(header));
            }
            case 416 -> {
                discard();
                throw new Trouble("the server has nothing from byte " + have + " on");
            }
            default -> throw api.problem(answer, id, file.name());
        }
    }

    /** Writes the body from position {@code from} on; gives where it ends. */
    private long write(HubHttp.Answer answer, long from) throws IOException, InterruptedException {
        long at = from;
        try (PartFile out = open()) {
            while (true) {
                ByteBuffer bytes = answer.body().next();
                if (bytes == null) {
                    break;
                }
                int n = bytes.remaining();
                if (file.size() >= 0 && n > file.size() - at) {
                    throw new Trouble("expected " + file.size() + " bytes, the server sends more");
                }
                long to = at;
                writing(() -> out.write(bytes, to));
                at += n;
                received.set(at);
            }
            writing(out::force);
        }
        return at;
    }

    /** Makes sure that all bytes, which may be none, are on disk: the connection may have broken after the last. */
    private void keep() throws IOException {
        try (PartFile out = open()) {
            writing(out::force);
        }
    }

    private PartFile open() {
        try {
            return limits.parts().open(part);
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    private interface Writing {
        void run() throws IOException;
    }

    /** What the disk refuses is not the network's trouble: trying again would not help. */
    private void writing(Writing writing) {
        try {
            writing.run();
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    private TillerException unwritable(IOException e) {
        return new TillerException(
                part + ": cannot be written (" + Messages.reason(e)
                        + "); what came before is kept, so that the next pull goes on there",
                e);
    }

    private void discard() {
        writing(() -> Files.deleteIfExists(part));
        received.set(0);
    }

    private void move(Path blob) {
        try {
            Files.move(part, blob, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new TillerException(blob + ": cannot be made (" + Messages.reason(e) + ")", e);
        }
    }
}
