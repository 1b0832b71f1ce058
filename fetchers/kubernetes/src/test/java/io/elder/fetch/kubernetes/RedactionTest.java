package io.elder.fetch.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Everything called {@code gone} must go, everything called {@code kept} must stay. */
class RedactionTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Test
    void secretsAndConfigMapsKeepTheNamesOfTheirKeys() throws IOException {
        for (String kind : new String[] {"k8s_secret", "k8s_config_map"}) {
            // A list of kind List has objects of no kind.
            assertThat(
                            redacted(
                                    kind,
                                    "{\"data\": {\"kept1\": \"gone\"}, \"stringData\": {\"kept2\": \"gone\"}, \"binaryData\": {\"kept3\": \"gone\"}, \"type\": \"kept4\"}"))
                    .contains("kept1", "kept2", "kept3", "kept4");
        }
    }

    @Test
    void annotationsGoWhereverTheyAre() throws IOException {
        assertThat(redacted("k8s_cron_job", """
                        {"metadata": {"name": "kept1", "labels": {"kept2": "kept3"}, "annotations": {"kept4": "gone"},
                          "managedFields": [{"manager": "gone"}]},
                         "spec": {"jobTemplate": {"metadata": {"annotations": {"kept5": "gone"}},
                           "spec": {"template": {"metadata": {"annotations": {"kept6": "gone"}}}}},
                          "volumeClaimTemplates": [{"metadata": {"annotations": {"kept7": "gone"}}}],
                          "secretTemplate": {"annotations": {"kept8": "gone"}}}}"""))
                .contains("kept1", "kept2", "kept3", "kept4", "kept5", "kept6", "kept7", "kept8");
    }

    @Test
    void containersOfEverySortKeepTheirNamesAndImages() throws IOException {
        for (String list : new String[] {"containers", "initContainers", "ephemeralContainers"}) {
            assertThat(redacted("k8s_pod", """
                            {"spec": {"%s": [{"name": "kept1", "image": "kept2", "command": ["gone", "gone"], "args": ["gone"],
                              "env": [{"name": "kept3", "value": "gone"}, {"name": "kept4", "valueFrom": {"secretKeyRef": {"name": "kept5"}}}],
                              "lifecycle": {"postStart": {"exec": {"command": ["gone"]}}},
                              "readinessProbe": {"httpGet": {"path": "kept6?token=gone", "httpHeaders": [{"name": "kept7", "value": "gone"}]}}}]},
                             "status": {"containerStatuses": [{"lastState": {"terminated": {"exitCode": 1, "reason": "kept8", "message": "gone"}},
                              "state": {"waiting": {"message": "kept9"}}}]}}""".formatted(list)))
                    .contains("kept1", "kept2", "kept3", "kept4", "kept5", "kept6", "kept7", "kept8", "kept9");
        }
    }

    @Test
    void whatDriversAndIssuersAreToldGoesToo() throws IOException {
        assertThat(redacted("k8s_storage_class", """
                        {"provisioner": "kept1", "parameters": {"type": "kept2", "restuserkey": "gone", "adminSecret": "gone"},
                         "spec": {"csi": {"driver": "kept3", "volumeAttributes": {"kept4": "gone"}}, "flexVolume": {"options": {"kept5": "gone"}},
                          "keystores": {"jks": {"password": "gone", "passwordSecretRef": {"name": "kept6"}}},
                          "projected": {"serviceAccountToken": {"path": "kept7"}}}}"""))
                .contains("kept1", "kept2", "kept3", "kept4", "kept5", "kept6", "kept7");
    }

    @Test
    void passwordsWithWhichVolumesAreMountedGo() throws IOException {
        String options =
                "\"mountOptions\": [\"kept1\", \"vers=kept2\", \"password=gone\", \"uid=kept3,pass=gone,gone\"]";
        for (String object : new String[] {"{%s}", "{\"spec\": {%s}}"}) {
            assertThat(redacted("k8s_persistent_volume", object.formatted(options)))
                    .contains("\"kept1\",\"vers=kept2\",\"password=***\",\"uid=kept3,pass=***\"");
        }
    }

    private static String redacted(String kind, String json) throws IOException {
        ObjectNode object = (ObjectNode) JSON.readTree(json);
        Redaction.redact(object, kind);
        assertThat(object.toString()).doesNotContain("gone");
        return object.toString();
    }
}
