package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** What the cache of downloaded models holds, and throwing it away. */
public final class HubModels {
    private static final String PREFIX = "models--";

    private final Path folder;

    /** @param folder as {@link HubSettings#cache} gives it */
    public HubModels(Path folder) {
        this.folder = folder;
    }

    /**
     * A repository in the cache.
     *
     * @param repo owner and name
     * @param bytes of its files, with unfinished ones
     * @param snapshots number of commits of which something is here
     */
    public record Entry(String repo, long bytes, int snapshots) {}

    /** All repositories, the largest first; those of other programs are among them. */
    public List<Entry> list() {
        List<Entry> out = new ArrayList<>();
        try (Stream<Path> repos = Files.list(folder)) {
            for (Path repo : repos.sorted().toList()) {
                String name = repo.getFileName().toString();
                if (name.startsWith(PREFIX) && Files.isDirectory(repo)) {
                    out.add(new Entry(
                            name.substring(PREFIX.length()).replace("--", "/"),
                            bytes(repo.toRealPath()),
                            snapshots(repo)));
                }
            }
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            throw HubCache.unreadable(folder, e);
        }
        out.sort(Comparator.comparingLong(Entry::bytes).reversed());
        return out;
    }

    /**
     * Deletes a repository from the cache, for all programs that share it. Links that lead out of it are deleted, not
     * followed; so is one in place of the whole repository.
     *
     * @return bytes of its files
     */
    public long remove(HubId id) {
        Path repo = new HubCache(folder).repo(id);
        if (!Files.isDirectory(repo)) {
            throw new TillerException(id.repo() + ": not in the cache (" + folder + ")");
        }
        try {
            long bytes = bytes(repo);
            delete(repo);
            return bytes;
        } catch (IOException e) {
            throw new TillerException(repo + ": cannot be deleted (" + Messages.reason(e) + ")", e);
        }
    }

    private static long bytes(Path repo) throws IOException {
        long[] sum = {0};
        Files.walkFileTree(repo, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                sum[0] += attributes.isRegularFile() ? attributes.size() : 0;
                return FileVisitResult.CONTINUE;
            }
        });
        return sum[0];
    }

    private static int snapshots(Path repo) throws IOException {
        try (Stream<Path> commits = Files.list(repo.resolve("snapshots"))) {
            return (int) commits.filter(Files::isDirectory).count();
        } catch (NoSuchFileException e) {
            return 0;
        }
    }

    /** References go first and blobs last, so that what is half deleted does not look whole. */
    private static void delete(Path repo) throws IOException {
        boolean link = Files.isSymbolicLink(repo);
        for (String first : link ? new String[] {""} : new String[] {"refs", "snapshots", ""}) {
            Path part = repo.resolve(first);
            if (Files.exists(part)) {
                tree(part);
            }
        }
    }

    private static void tree(Path root) throws IOException {
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
                if (e != null) {
                    throw e;
                }
                Files.deleteIfExists(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
