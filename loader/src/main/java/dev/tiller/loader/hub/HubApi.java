package dev.tiller.loader.hub;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** What is asked of the hub before files come: the files of a commit, their checksums and sizes. */
final class HubApi {
    /** The longest listings of real repositories have a tenth of it. */
    private static final int MAX_LISTING = 16 << 20;

    private static final int MAX_TEXT = 32 << 20;

    /** Beyond all models, and so that sums of sizes stay within 64 bits. */
    private static final long MAX_FILE = 1L << 45;

    private final HubSettings settings;
    private final HubLimits limits;
    private final HubHttp http;
    private final Consumer<String> notes;

    /** @param notes hears of longer waits, on any thread */
    HubApi(HubSettings settings, HubLimits limits, HubHttp http, Consumer<String> notes) {
        this.settings = settings;
        this.limits = limits;
        this.http = http;
        this.notes = notes;
    }

    /**
     * The state of a repository.
     *
     * @param commit its commit, 40 hex digits
     * @param files paths of its files
     */
    record Listing(String commit, List<String> files) {}

    /** A request that may be tried again. */
    private interface Attempt<T> {
        T run() throws IOException, InterruptedException;
    }

    private <T> T retrying(String what, Attempt<T> attempt) throws InterruptedException {
        Patience patience = new Patience(limits, what, notes);
        while (true) {
            try {
                return attempt.run();
            } catch (HubBody.TooMuch e) {
                throw new TillerException(what + ": " + e.getMessage(), e);
            } catch (IOException e) {
                patience.failed(e);
            }
        }
    }

    /** The commit and the files of a revision. */
    Listing listing(HubId id) throws InterruptedException {
        String revision = RepoNames.encode(id.revisionOrMain(), false);
        URI uri = http.address("/api/models/" + id.repo() + "/revision/" + revision);
        String source = HubHttp.show(uri);
        byte[] bytes = retrying(source, () -> {
            try (HubHttp.Answer answer = http.get(uri, 0)) {
                if (answer.status() != 200) {
                    throw problem(answer, id, null);
                }
                answer.checkPlain();
                return answer.body().all(MAX_LISTING);
            } catch (ConnectException e) {
                // The first contact: more likely a wrong name or no network at all than a passing trouble.
                throw new TillerException(source + ": " + Patience.reason(e), e);
            }
        });
        JsonObject json = Json.parseObject(new String(bytes, StandardCharsets.UTF_8), source);
        String commit = Json.string(json, "sha", source);
        if (!HubId.isCommit(commit)) {
            throw Json.wrong("sha", "a commit of 40 hex digits", json.get("sha"), source);
        }
        if (HubId.isCommit(id.revisionOrMain()) && !commit.equals(id.revision())) {
            throw Json.wrong("sha", "the commit asked for, " + id.revision(), json.get("sha"), source);
        }
        List<String> files = new ArrayList<>();
        for (JsonElement item : Json.array(json, "siblings", source)) {
            if (!item.isJsonObject()) {
                throw Json.wrong("siblings", "objects with rfilename", item, source);
            }
            files.add(Json.string(item.getAsJsonObject(), "rfilename", source + ": siblings"));
        }
        RepoNames.check(files, source);
        return new Listing(commit, files);
    }

    private URI file(HubId id, String commit, String name) {
        return http.address("/" + id.repo() + "/resolve/" + commit + "/" + RepoNames.encode(name, true));
    }

    /** Checksum and size of a file. */
    RemoteFile describe(HubId id, String commit, String name) throws InterruptedException {
        URI uri = file(id, commit, name);
        String source = HubHttp.show(uri);
        return retrying(source, () -> {
            try (HubHttp.Answer answer = http.head(uri)) {
                if (answer.status() != 200 && !answer.isRedirect()) {
                    throw problem(answer, id, name);
                }
                Optional<String> from = answer.header("X-Repo-Commit");
                if (from.isPresent() && !from.get().equals(commit)) {
                    throw new TillerException(source + ": expected the file of commit " + commit
                            + ", found X-Repo-Commit " + Messages.quote(from.get()));
                }
                return described(name, uri, answer);
            }
        });
    }

    private static RemoteFile described(String name, URI uri, HubHttp.Answer answer) {
        String source = HubHttp.show(uri);
        String etag = answer.header("X-Linked-Etag")
                .or(() -> answer.header("ETag"))
                .map(Checksum::normalise)
                .orElseThrow(() -> new TillerException(source + ": expected an ETag, found none; is this a hub?"));
        if (!Checksum.isName(etag)) {
            throw new TillerException(source + ": expected a checksum as ETag, found " + Messages.quote(etag));
        }
        boolean plain = answer.header("Content-Encoding").isEmpty() && !answer.isRedirect();
        long size = answer.number("X-Linked-Size")
                .orElse(plain ? answer.number("Content-Length").orElse(-1) : -1);
        if (size > MAX_FILE) {
            throw new TillerException(source + ": expected a size of at most " + MAX_FILE + " bytes, found " + size);
        }
        if (size < 0 && !Checksum.isChecksum(etag)) {
            throw new TillerException(source + ": expected a size or a checksum, found neither: " + Messages.quote(etag)
                    + " is no sha256 or git sha1");
        }
        return new RemoteFile(name, uri, etag, size);
    }

    /** A small file at once, checked. */
    byte[] content(HubId id, RemoteFile file) throws InterruptedException {
        String source = HubHttp.show(file.uri());
        return retrying(source, () -> {
            try (HubHttp.Answer answer = http.get(file.uri(), 0)) {
                if (answer.status() != 200) {
                    throw problem(answer, id, file.name());
                }
                answer.checkPlain();
                byte[] bytes = answer.body().all(MAX_TEXT);
                if (Checksum.isChecksum(file.etag())) {
                    String found = Checksum.of(new ByteArrayInputStream(bytes), bytes.length, file.etag());
                    if (!found.equals(file.etag())) {
                        throw new Trouble(
                                "expected " + Checksum.kind(file.etag()) + " " + file.etag() + ", found " + found);
                    }
                }
                return bytes;
            }
        });
    }

    /**
     * What an answer means that is not the one hoped for. An exception for the user, or one that says to try again.
     *
     * @param file the file asked for, null if it was the listing
     */
    Trouble problem(HubHttp.Answer answer, HubId id, String file) throws InterruptedException {
        int status = answer.status();
        if (status == 429 || status == 408 || status >= 500) {
            String meaning = status == 429 ? "too many requests (HTTP 429)" : "HTTP " + status;
            return new Trouble(
                    meaning,
                    answer.header("Retry-After").map(HubApi::retryAfter).orElse(null));
        }
        if (status == 407) {
            throw http.proxyRefusal(answer.uri());
        }
        if (!http.isEndpoint(answer.uri())) {
            // A signed address of a store may have become too old; the hub gives a new one.
            return new Trouble(HubHttp.show(answer.uri()) + " answers HTTP " + status);
        }
        String code = answer.header("X-Error-Code").orElse("");
        throw new TillerException(
                switch (status) {
                    case 401, 403 -> refused(status, code, id);
                    case 404 -> missing(code, id, file);
                    default -> HubHttp.show(answer.uri()) + ": expected the answer 200, found HTTP " + status;
                });
    }

    private String refused(int status, String code, HubId id) {
        String token = settings.token().map(HubToken::toString).orElse(null);
        String repo = id.repo() + ": ";
        if (code.equals("GatedRepo")) {
            return repo + "gated: accept its conditions at " + settings.endpoint() + "/" + id.repo()
                    + (token == null
                            ? " and give a token of that account in HF_TOKEN"
                            : ", with the account of the " + token)
                    + " (HTTP " + status + ")";
        }
        if (token == null) {
            return repo + "no such repository at " + settings.endpoint()
                    + ", or a private one that needs a token in HF_TOKEN (HTTP " + status + ")";
        }
        return repo + (status == 401 ? "the hub does not know the " : "the hub gives no access to the ") + token
                + " (HTTP " + status + ")";
    }

    private String missing(String code, HubId id, String file) throws InterruptedException {
        String where = " at " + settings.endpoint() + " (HTTP 404)";
        if (file != null) {
            return id.repo() + ": no file " + Messages.quote(file) + where;
        }
        boolean revision =
                code.equals("RevisionNotFound") || !code.equals("RepoNotFound") && id.revision() != null && exists(id);
        return revision
                ? id.repo() + ": no revision " + Messages.quote(id.revisionOrMain()) + where
                : id.repo() + ": no such repository" + where;
    }

    private boolean exists(HubId id) throws InterruptedException {
        try (HubHttp.Answer answer = http.get(http.address("/api/models/" + id.repo()), 0)) {
            return answer.status() == 200;
        } catch (IOException e) {
            return false; // only the wording of the error depends on it
        }
    }

    /** Seconds, or a date; null if it is neither. */
    private static Duration retryAfter(String header) {
        try {
            if (header.matches("\\d{1,9}")) {
                return Duration.ofSeconds(Long.parseLong(header));
            }
            Instant until = ZonedDateTime.parse(header, DateTimeFormatter.RFC_1123_DATE_TIME)
                    .toInstant();
            return Duration.between(Instant.now(), until);
        } catch (DateTimeException e) {
            return null;
        }
    }
}
