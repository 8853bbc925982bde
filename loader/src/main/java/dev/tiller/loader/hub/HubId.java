package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What a user names on the hub: {@code org/name[/file.gguf][@revision]}, or {@code name[@revision]} for the few
 * repositories without an owner.
 *
 * @param repo owner and name
 * @param file a file in it, null if none was named
 * @param revision branch, tag or commit; null if none was named
 */
public record HubId(String repo, String file, String revision) {
    /** What is taken if no revision is named. */
    static final String MAIN = "main";

    private static final Pattern PART = Pattern.compile("[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?");
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    /** An error that shows the form if {@code text} has another. */
    public static HubId parse(String text) {
        return find(text)
                .orElseThrow(() -> new TillerException(
                        "expected a model as org/name, org/name/file.gguf or org/name@revision, found "
                                + Messages.quote(text)));
    }

    /** Empty if the text cannot name anything on the hub. */
    public static Optional<HubId> find(String text) {
        int at = text.indexOf('@');
        String revision = at < 0 ? null : text.substring(at + 1);
        String[] parts = (at < 0 ? text : text.substring(0, at)).split("/", 3);
        String file = parts.length == 3 ? parts[2] : null;
        String repo = parts.length == 1 ? parts[0] : parts[0] + "/" + parts[1];
        boolean good = isRepo(repo)
                && (revision == null || RepoNames.isPlain(revision))
                && (file == null || RepoNames.isPlain(file) && isGguf(file));
        return good ? Optional.of(new HubId(repo, file, revision)) : Optional.empty();
    }

    private static boolean isRepo(String repo) {
        for (String part : repo.split("/", -1)) {
            // Two dashes part owner and name in the cache, so no name has them.
            if (!PART.matcher(part).matches() || part.contains("--") || part.contains("..") || part.endsWith(".git")) {
                return false;
            }
        }
        return true;
    }

    static boolean isGguf(String file) {
        return file.endsWith(".gguf");
    }

    static boolean isCommit(String revision) {
        return COMMIT.matcher(revision).matches();
    }

    /** The same with another file. */
    public HubId withFile(String other) {
        return new HubId(repo, other, revision);
    }

    /** The revision, "main" if none was named. */
    String revisionOrMain() {
        return revision == null ? MAIN : revision;
    }

    @Override
    public String toString() {
        return repo + (file == null ? "" : "/" + file) + (revision == null ? "" : "@" + revision);
    }
}
