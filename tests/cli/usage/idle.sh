# Verbs of other systems that have nothing to do here end well.
pcv enterprise get-state
pcv license activate
pcv port-forward
pcv exit
pcv buildinfo | grep -c '^pcv '
pcv version --client-only --enterprise
