#!/usr/bin/python3
"""Writes the demo's data into a folder, from scikit-learn's own copy of Fisher's iris flowers.

    data.py DIR

training/iris.csv         all 150 flowers, measured and labelled
training/more.csv         60 more, labelled
training/mislabelled.csv  the 150 again, but somebody mixed up two of the species
attributes/*.csv          flowers that were only measured

The same files each time: what is made up comes from a seeded generator.
"""
import csv
import os
import random
import sys

from sklearn.datasets import load_iris

COLUMNS = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width']


def write(path, header, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', newline='') as file:
        csv.writer(file, lineterminator='\n').writerows([header, *rows])


def resembling(generator, flower):
    """Measures of a flower that could have grown beside this one."""
    return [round(max(0.1, measure + generator.gauss(0, 0.1)), 1) for measure in flower]


def main(folder):
    iris = load_iris()
    flowers = iris.data.tolist()
    species = [str(iris.target_names[kind]) for kind in iris.target]
    generator = random.Random(1936)  # the year of Fisher's paper

    def labelled(name, names, rows):
        write(f'{folder}/training/{name}.csv', [*COLUMNS, 'species'], [[*row, kind] for row, kind in zip(rows, names)])

    labelled('iris', species, flowers)
    some = generator.sample(range(len(flowers)), 60)
    labelled('more', [species[i] for i in some], [resembling(generator, flowers[i]) for i in some])
    mixed_up = {'setosa': 'virginica', 'virginica': 'setosa'}
    labelled('mislabelled', [mixed_up.get(kind, kind) for kind in species], flowers)

    for place, count in (('garden', 6), ('meadow', 8), ('riverbank', 5), ('greenhouse', 7)):
        rows = [resembling(generator, flower) for flower in generator.sample(flowers, count)]
        write(f'{folder}/attributes/{place}.csv', COLUMNS, rows)


if __name__ == '__main__':
    main(sys.argv[1])
