# Archives that are none, or that want out.
echo 'certainly not an archive, however one looks at it' > text
pcv image import text x; echo "text: $?"
pcv image import nosuch x; echo "nosuch: $?"
mkdir layout; echo '{"imageLayoutVersion":"1.0.0"}' > layout/oci-layout
pcv image import layout x --format oci-layout; echo "layout without index: $?"
echo '{"manifests":[{"digest":"sha256:x"}]}' > layout/index.json
pcv image import layout x; echo "layout with a bad digest: $?"
mkdir a; echo evil > evil; tar -C a -P -cf out.tar ../evil
pcv image import out.tar x; echo "archive that leaves: $?"
tar -cf cut.tar text; head -c 530 cut.tar > half.tar
pcv image import half.tar x; echo "half an archive: $?"
: > empty; pcv image import empty x; echo "empty: $?"
pcv image import layout; echo "without a name: $?"
pcv image import text 'two words'; echo "bad name: $?"
pcv image import text x --format zip; echo "bad format: $?"
pcv image list
