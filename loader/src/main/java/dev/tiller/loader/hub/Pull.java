package dev.tiller.loader.hub;

import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Downloads a model. The files come first, each checked before it gets its name; the snapshot of the commit is made of
 * links to them when all are there, its config.json last; the branch is told of it at the very end. So what looks like a
 * model is one, whenever a pull is stopped, and the next pull goes on where it was.
 */
public final class Pull implements AutoCloseable {
    private static final long TICK_MILLIS = 100;

    private final HubSettings settings;
    private final HubId id;
    private final PullListener listener;
    private final HubLimits limits;
    private final HubCache cache;
    private final HubHttp http;
    private final HubApi api;

    /** What a person should know, until the thread that waits for the download shows it. */
    private final Queue<String> notes = new ConcurrentLinkedQueue<>();

    private List<RemoteFile> remote;
    private SnapshotWriter snapshot;

    public Pull(HubSettings settings, HubId id, PullListener listener) {
        this(settings, id, listener, HubLimits.NORMAL);
    }

    Pull(HubSettings settings, HubId id, PullListener listener, HubLimits limits) {
        this.settings = settings;
        this.id = id;
        this.listener = listener;
        this.limits = limits;
        this.cache = new HubCache(settings.cache());
        this.http = new HubHttp(settings, limits);
        this.api = new HubApi(settings, limits, http, notes::add);
    }

    /** Asks the hub what the model consists of. Nothing is written. */
    public PullPlan plan() throws InterruptedException {
        if (settings.offline()) {
            throw new TillerException(id + ": HF_HUB_OFFLINE is set, so nothing is asked of " + settings.endpoint());
        }
        HubApi.Listing listing = telling(() -> api.listing(id));
        List<String> names = new ArrayList<>(Selection.of(listing.files(), id.file(), id));
        List<RemoteFile> files = describe(listing.commit(), names);
        if (names.contains(Selection.INDEX)) {
            List<String> shards = shards(listing, files.get(names.indexOf(Selection.INDEX)));
            names.addAll(shards);
            files.addAll(describe(listing.commit(), shards));
        }
        RepoNames.checkCase(names, id.repo());
        files.sort(Comparator.comparing(RemoteFile::name));
        remote = List.copyOf(files);
        snapshot = new SnapshotWriter(cache, id, listing.commit(), settings.links(), limits.links());
        snapshot.checkClear(remote);
        Path path = cache.snapshot(id, listing.commit());
        boolean gguf = names.size() == 1 && HubId.isGguf(names.getFirst());
        return new PullPlan(
                gguf ? id.withFile(names.getFirst()) : id,
                listing.commit(),
                planned(listing.commit()),
                gguf ? path.resolve(names.getFirst()) : path,
                cache.free());
    }

    private List<PullPlan.File> planned(String commit) {
        List<PullPlan.File> out = new ArrayList<>();
        for (RemoteFile file : remote) {
            long here;
            try {
                here = cache.holds(id, commit, file) ? file.size() : BlobDownload.left(cache, id, file);
            } catch (IOException e) {
                here = 0; // the download will say what is wrong with it
            }
            out.add(new PullPlan.File(file.name(), file.size(), here));
        }
        return out;
    }

    private List<RemoteFile> describe(String commit, List<String> names) throws InterruptedException {
        List<Callable<RemoteFile>> tasks = new ArrayList<>();
        for (String name : names) {
            tasks.add(() -> api.describe(id, commit, name));
        }
        return inParallel(tasks, this::tellNotes);
    }

    private List<String> shards(HubApi.Listing listing, RemoteFile index) throws InterruptedException {
        String source = HubHttp.show(index.uri());
        byte[] bytes = telling(() -> api.content(id, index));
        String text = new String(bytes, StandardCharsets.UTF_8);
        JsonObject json = Json.parseObject(text, source);
        List<String> shards = Selection.shards(json, source);
        for (String shard : shards) {
            if (!listing.files().contains(shard)) {
                throw new TillerException(source + ": shard " + Messages.quote(shard) + " is not in the repository");
            }
        }
        return shards;
    }

    /** Does what the plan of this pull says; gives {@link PullPlan#path}. */
    public Path run(PullPlan plan) throws InterruptedException {
        long missing = plan.missing();
        if (plan.free().isPresent() && plan.free().get() < missing) {
            throw new TillerException(cache.folder() + ": expected room for " + missing + " bytes, found "
                    + plan.free().get());
        }
        Set<String> came = download(plan);
        List<RemoteFile> placed = new ArrayList<>(remote);
        placed.sort(Comparator.comparing(f -> f.name().equals(Selection.CONFIG)));
        Map<String, RemoteFile> last = new HashMap<>();
        placed.forEach(file -> last.put(file.etag(), file));
        for (RemoteFile file : placed) {
            // Older snapshots may link to blobs that were here before.
            snapshot.place(
                    file, came.contains(file.etag()) && last.get(file.etag()).equals(file));
        }
        snapshot.remember();
        came.forEach(etag -> snapshot.dropIfCopied(etag, remote));
        return plan.path();
    }

    private void tellNotes() {
        for (String note = notes.poll(); note != null; note = notes.poll()) {
            listener.note(note);
        }
    }

    /** Downloads what is not here; gives the ETags of what came. */
    private Set<String> download(PullPlan plan) throws InterruptedException {
        // By checksum: files of the same content are one blob.
        Map<String, BlobDownload> downloads = new LinkedHashMap<>();
        long here = 0;
        for (RemoteFile file : remote) {
            if (cache.holds(id, plan.commit(), file)) {
                here += Math.max(0, file.size());
            } else {
                downloads.putIfAbsent(file.etag(), new BlobDownload(http, api, cache, limits, id, file, notes::add));
            }
        }
        downloads.values().forEach(BlobDownload::countLeft);
        long start = here;
        Runnable tick = () -> {
            tellNotes();
            long done = start;
            for (BlobDownload download : downloads.values()) {
                done += download.received.get();
            }
            listener.bytes(Math.min(done, plan.total()), plan.total());
        };
        List<Callable<Void>> tasks = new ArrayList<>();
        for (BlobDownload download : downloads.values()) {
            tasks.add(() -> {
                download.run();
                return null;
            });
        }
        inParallel(tasks, tick);
        return downloads.keySet();
    }

    /** Waits may be long: what is noted meanwhile is told at once. */
    private <T> T telling(Callable<T> task) throws InterruptedException {
        return inParallel(List.of(task), this::tellNotes).getFirst();
    }

    /** Results in the order of the tasks; the first failure stops the others and is thrown. */
    private <T> List<T> inParallel(List<Callable<T>> tasks, Runnable tick) throws InterruptedException {
        ExecutorService threads = Executors.newFixedThreadPool(
                Math.clamp(tasks.size(), 1, limits.downloads()),
                Thread.ofPlatform().name("tiller-pull-", 0).daemon().factory());
        try {
            CompletionService<T> service = new ExecutorCompletionService<>(threads);
            List<Future<T>> futures = new ArrayList<>();
            for (Callable<T> task : tasks) {
                futures.add(service.submit(task));
            }
            for (int done = 0; done < futures.size(); ) {
                Future<T> next = service.poll(TICK_MILLIS, TimeUnit.MILLISECONDS);
                tick.run();
                if (next != null) {
                    result(next);
                    done++;
                }
            }
            List<T> results = new ArrayList<>();
            for (Future<T> future : futures) {
                results.add(result(future));
            }
            return results;
        } finally {
            threads.shutdownNow();
            awaitEnd(threads);
        }
    }

    private <T> T result(Future<T> future) throws InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                case InterruptedException cause -> throw cause;
                case IOException cause -> throw HubCache.unreadable(cache.repo(id), cause);
                default -> throw new IllegalStateException(e.getCause());
            }
        }
    }

    /** So that nothing is written after we have returned. */
    private static void awaitEnd(ExecutorService threads) {
        boolean interrupted = false;
        while (true) {
            try {
                if (threads.awaitTermination(10, TimeUnit.SECONDS)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        http.close();
    }
}
