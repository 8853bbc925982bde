package dev.tiller.loader.hub;

import dev.tiller.loader.hub.FakeHub.Reply;
import dev.tiller.loader.hub.FakeHub.Request;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** A hub that answers as a test says, and the folder that its model is pulled into. */
abstract class BadServer {
    static final int SIZE = 400_000;
    static final String STORE = "/store/model.safetensors";

    @TempDir
    Path dir;

    final FakeHub hub = Pulling.model(SIZE, 7);

    @AfterEach
    void stop() {
        hub.close();
    }

    Pulling pulling() {
        return new Pulling(hub, dir);
    }

    byte[] weights() {
        return hub.files.get("model.safetensors");
    }

    /** How the store answers requests for the weights, by their number from 0 on; null for the ordinary answer. */
    void store(Function<Integer, Function<Request, Reply>> answers) {
        AtomicInteger n = new AtomicInteger();
        hub.rule(r -> {
            Function<Request, Reply> answer = r.isGet(STORE) ? answers.apply(n.getAndIncrement()) : null;
            return answer == null ? null : answer.apply(r);
        });
    }

    Path incomplete() {
        return dir.resolve("models--org--tiny/blobs").resolve(hub.etag("model.safetensors") + ".incomplete");
    }
}
