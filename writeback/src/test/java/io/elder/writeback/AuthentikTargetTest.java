package io.elder.writeback;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.estate.Directory;
import io.elder.estate.Door;
import io.elder.estate.SimulatedAuthentik;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AuthentikTargetTest extends HttpTargetContract {
    private static final String GROUP = "5c6a1d1e-6c0a-4b5e-9a53-0d6f6f1f0a01";

    private final Directory directory = new Directory()
            .put(new Directory.User("11", "in"))
            .put(new Directory.User("12", "out"))
            .put(new Directory.Group(GROUP, "team"));
    private final SimulatedAuthentik authentik = new SimulatedAuthentik(directory);

    AuthentikTargetTest() {
        directory.join(GROUP, "11");
    }

    @AfterEach
    void close() {
        authentik.close();
    }

    @Override
    String provider() {
        return "authentik";
    }

    @Override
    Map<String, String> settings() {
        return authentik.settings();
    }

    @Override
    String group() {
        return GROUP;
    }

    @Override
    String member() {
        return "11";
    }

    @Override
    String stranger() {
        return "12";
    }

    @Override
    Door door() {
        return authentik.door();
    }

    @Override
    Directory directory() {
        return directory;
    }

    @Test
    void callsAreThoseOfTheVendorsSpecification() throws InterruptedException {
        make("add", GROUP, "12");
        make("remove", GROUP, "12");
        assertThat(authentik.door().writes())
                .extracting(call -> call.method() + " " + call.path() + " " + call.body())
                .containsExactly(
                        "POST /api/v3/core/groups/" + GROUP + "/add_user/ {\"pk\": 12}",
                        "POST /api/v3/core/groups/" + GROUP + "/remove_user/ {\"pk\": 12}");
    }

    @Test
    void aMemberWithoutANumberIsRefused() throws InterruptedException {
        assertThat(make("add", GROUP, "alice").outcome()).isEqualTo(Outcome.REFUSED);
    }
}
