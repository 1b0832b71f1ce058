package io.elder.writeback;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.estate.Directory;
import io.elder.estate.Door;
import io.elder.estate.SimulatedOkta;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class OktaTargetTest extends HttpTargetContract {
    private final Directory directory = new Directory()
            .put(new Directory.User("00uin", "in@example.com"))
            .put(new Directory.User("00uout", "out@example.com"))
            .put(new Directory.Group("00gteam", "team"));
    private final SimulatedOkta okta = new SimulatedOkta(directory);

    OktaTargetTest() {
        directory.join("00gteam", "00uin");
    }

    @AfterEach
    void close() {
        okta.close();
    }

    @Override
    String provider() {
        return "okta";
    }

    @Override
    Map<String, String> settings() {
        return okta.settings();
    }

    @Override
    String group() {
        return "00gteam";
    }

    @Override
    String member() {
        return "00uin";
    }

    @Override
    String stranger() {
        return "00uout";
    }

    @Override
    Door door() {
        return okta.door();
    }

    @Override
    Directory directory() {
        return directory;
    }

    @Test
    void callsAreThoseOfTheVendorsSpecification() throws InterruptedException {
        make("add", "00gteam", "00uout");
        make("remove", "00gteam", "00uout");
        assertThat(okta.door().writes())
                .extracting(call -> call.method() + " " + call.path() + call.body())
                .containsExactly(
                        "PUT /api/v1/groups/00gteam/users/00uout", "DELETE /api/v1/groups/00gteam/users/00uout");
        assertThat(okta.door().writes()).allSatisfy(call -> assertThat(call.header("authorization"))
                .hasValueSatisfying(header -> assertThat(header).startsWith("SSWS ")));
    }

    @Test
    void anIdThatWouldLeaveThePathIsRefused() throws InterruptedException {
        assertThat(make("add", "..", "00uout").outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(okta.door().calls()).isEmpty();
    }
}
